//! Lists of access of Windows in their written form. Pure, and so tested on every system.

/// For a folder of secrets: the system, administrators and the owner may do everything, nobody
/// else anything, and nothing comes from the folder above.
#[cfg_attr(not(windows), expect(dead_code, reason = "folders are made so on Windows alone"))]
pub(super) const PRIVATE: &str = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)";

/// Everybody, users, those who signed in in any way, guests, and those without a name.
const OTHERS: &[&str] = &["WD", "BU", "AU", "IU", "NU", "BG", "AN", "AC", "DU", "DG", "PU", "SU"];
/// The same in numbers.
const OTHERS_IN_NUMBERS: &[&str] = &["S-1-1-0", "S-1-5-32-545", "S-1-5-11", "S-1-5-4", "S-1-5-7"];

/// What people may do whom nobody chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Others {
    /// Nothing.
    Nothing,
    /// Read and list.
    Read,
    /// More than that.
    Change,
}

/// What such a list lets others do. A folder without a list is open to all.
#[cfg_attr(not(any(windows, test)), expect(dead_code, reason = "asked on Windows alone"))]
pub(super) fn others_may(list: &str) -> Others {
    let Some((_, entries)) = list.split_once("D:") else { return Others::Change };
    if entries.contains("NO_ACCESS_CONTROL") {
        return Others::Change;
    }
    let may = |entry: &str| {
        let mut fields = entry.trim_end_matches(|c| c != ')').trim_end_matches(')').split(';');
        let allows = fields.next().is_some_and(|kind| matches!(kind, "A" | "XA" | "OA"));
        let rights = fields.nth(1).unwrap_or_default();
        let who = fields.nth(2).unwrap_or_default();
        match allows && (OTHERS.contains(&who) || OTHERS_IN_NUMBERS.contains(&who)) {
            false => Others::Nothing,
            true if only_read(rights) => Others::Read,
            true => Others::Change,
        }
    };
    entries.split('(').skip(1).map(may).max().unwrap_or(Others::Nothing)
}

/// Whether rights, as a number or in words of two letters, change nothing. A word that is not
/// known counts as one that does.
fn only_read(rights: &str) -> bool {
    /// To read, list, and walk through, and the same in general words.
    const READING: u32 = 0x0012_00a9 | 0x8000_0000 | 0x2000_0000;
    if let Some(digits) = rights.strip_prefix("0x") {
        return u32::from_str_radix(digits, 16).is_ok_and(|mask| mask & !READING == 0);
    }
    let mut words = rights.as_bytes().chunks(2);
    words.all(|word| [b"FR", b"FX", b"GR", b"GX", b"RC"].iter().any(|reading| *reading == word))
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
        let nothing = |list| others_may(list) == Others::Nothing;
        assert!(nothing("D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)"));
        assert!(nothing("O:BAG:SYD:PAI(A;OICI;FA;;;S-1-5-21-1-2-3-1001)"));
        assert!(nothing("D:P(D;;FA;;;WD)(A;;FA;;;BA)"), "it shuts everybody out");
        for readable in
            ["D:(A;OICI;0x1200a9;;;BU)(A;;FA;;;SY)", "D:P(A;;FR;;;AU)", "D:P(A;;FRFX;;;S-1-1-0)"]
        {
            assert_eq!(others_may(readable), Others::Read, "{readable}");
        }
        for open in [
            "D:AI(A;ID;FA;;;S-1-1-0)",
            "D:P(A;;0x1301bf;;;BU)",
            "D:P(A;;FRFW;;;BU)",
            "D:P(A;;FR;;;AU)(A;;DC;;;WD)",
            "D:P(A;;0xzz;;;WD)",
            "D:P(A;;F;;;WD)",
            "D:NO_ACCESS_CONTROL",
            "",
        ] {
            assert_eq!(others_may(open), Others::Change, "{open}");
        }
    }
}
