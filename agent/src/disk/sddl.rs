//! Lists of access of Windows in their written form. Pure, and so tested on every system.

/// For a folder of secrets: the system, administrators and the owner may do everything, nobody
/// else anything, and nothing comes from the folder above.
#[cfg_attr(not(windows), expect(dead_code, reason = "folders are made so on Windows alone"))]
pub(super) const PRIVATE: &str = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)";

/// Everybody, users, those who signed in in any way, guests, and those without a name.
const OTHERS: &[&str] = &["WD", "BU", "AU", "IU", "NU", "BG", "AN", "AC", "DU", "DG", "PU", "SU"];
/// The same in numbers.
const OTHERS_IN_NUMBERS: &[&str] = &["S-1-1-0", "S-1-5-32-545", "S-1-5-11", "S-1-5-4", "S-1-5-7"];

/// Whether such a list lets in people whom nobody chose. A folder without a list is open to all.
#[cfg_attr(not(any(windows, test)), expect(dead_code, reason = "asked on Windows alone"))]
pub(super) fn lets_in_others(list: &str) -> bool {
    let Some((_, entries)) = list.split_once("D:") else { return true };
    if entries.contains("NO_ACCESS_CONTROL") {
        return true;
    }
    entries.split('(').skip(1).any(|entry| {
        let mut fields = entry.trim_end_matches(|c| c != ')').trim_end_matches(')').split(';');
        let allows = fields.next().is_some_and(|kind| matches!(kind, "A" | "XA" | "OA"));
        let who = fields.nth(4).unwrap_or_default();
        allows && (OTHERS.contains(&who) || OTHERS_IN_NUMBERS.contains(&who))
    })
}

/// The system, administrators, the first administrator, and those of a domain.
#[cfg_attr(not(any(windows, test)), expect(dead_code, reason = "asked on Windows alone"))]
pub(super) const ADMINISTRATORS: &[&str] =
    &["SY", "BA", "LA", "DA", "EA", "S-1-5-18", "S-1-5-32-544"];

/// Whether what such a list describes belongs to one of these.
#[cfg_attr(not(any(windows, test)), expect(dead_code, reason = "asked on Windows alone"))]
pub(super) fn belongs_to(list: &str, owners: &[&str]) -> bool {
    let Some(rest) = list.strip_prefix("O:") else { return false };
    // An alias has two letters; what follows is the group or the list.
    let end = ["G:", "D:"].iter().filter_map(|next| rest.find(next)).min().unwrap_or(rest.len());
    rest.get(..end).is_some_and(|owner| owners.contains(&owner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_an_ordinary_user_made_is_told_from_one_of_the_system() {
        for ours in
            ["O:SYD:P(A;;FA;;;SY)", "O:BAG:SYD:", "O:LAD:", "O:S-1-5-32-544D:", "O:DAG:DUD:"]
        {
            assert!(belongs_to(ours, ADMINISTRATORS), "{ours}");
        }
        for foreign in
            ["O:S-1-5-21-1-2-3-1001D:P(A;;FA;;;SY)", "O:BUD:", "D:P(A;;FA;;;SY)", "", "O:"]
        {
            assert!(!belongs_to(foreign, ADMINISTRATORS), "{foreign}");
        }
        assert!(belongs_to("O:S-1-5-21-1-2-3-1001G:BAD:", &["S-1-5-21-1-2-3-1001"]));
    }

    #[test]
    fn a_folder_that_is_open_to_others_is_told_from_a_private_one() {
        assert!(!lets_in_others("D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)"));
        assert!(!lets_in_others("O:BAG:SYD:PAI(A;OICI;FA;;;S-1-5-21-1-2-3-1001)"));
        assert!(!lets_in_others("D:P(D;;FA;;;WD)(A;;FA;;;BA)"), "it shuts everybody out");
        for open in [
            "D:(A;OICI;0x1200a9;;;BU)(A;;FA;;;SY)",
            "D:AI(A;ID;FA;;;S-1-1-0)",
            "D:P(A;;FR;;;AU)",
            "D:NO_ACCESS_CONTROL",
            "",
        ] {
            assert!(lets_in_others(open), "{open}");
        }
    }
}
