//! Which devices somebody may see at all: those of some sites, of some departments, or all.

use std::collections::BTreeSet;

use rollcall_shared::api::unit::UnitKind;

/// Where somebody's rights end. Limited to sites and to departments, a device must belong to both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    sites: Option<BTreeSet<i64>>,
    departments: Option<BTreeSet<i64>>,
}

impl Scope {
    /// Everything.
    pub fn whole() -> Self {
        Self { sites: None, departments: None }
    }

    /// Only devices of these units. A kind that is absent limits nothing; an empty one leaves
    /// nothing.
    pub fn of(sites: Option<BTreeSet<i64>>, departments: Option<BTreeSet<i64>>) -> Self {
        Self { sites, departments }
    }

    /// Whether it ends nowhere.
    pub fn is_whole(&self) -> bool {
        self.sites.is_none() && self.departments.is_none()
    }

    /// The units of a kind it is limited to; `None`: not limited.
    pub fn units(&self, kind: UnitKind) -> Option<&BTreeSet<i64>> {
        match kind {
            UnitKind::Site => self.sites.as_ref(),
            UnitKind::Department => self.departments.as_ref(),
        }
    }

    /// The numbers of all units it is limited to.
    pub fn all_units(&self) -> Vec<i64> {
        UnitKind::ALL.iter().filter_map(|kind| self.units(*kind)).flatten().copied().collect()
    }

    /// Whether a unit may be seen and given to devices.
    pub fn has_unit(&self, kind: UnitKind, unit: i64) -> bool {
        self.units(kind).is_none_or(|units| units.contains(&unit))
    }

    /// Whether something that belongs to these two is inside.
    pub fn holds(&self, site: Option<i64>, department: Option<i64>) -> bool {
        let inside = |kind, unit: Option<i64>| {
            self.units(kind).is_none_or(|units| unit.is_some_and(|unit| units.contains(&unit)))
        };
        inside(UnitKind::Site, site) && inside(UnitKind::Department, department)
    }

    /// Whether whoever has the other sees nothing that is not inside of this one.
    pub fn includes(&self, other: &Self) -> bool {
        UnitKind::ALL.iter().all(|kind| match (self.units(*kind), other.units(*kind)) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(others)) => others.is_subset(own),
        })
    }

    /// The same for the same scope and for no other, to mark what was made for it; empty for the
    /// whole.
    pub fn mark(&self) -> String {
        let part = |letter: char, units: Option<&BTreeSet<i64>>| {
            let numbers = |units: &BTreeSet<i64>| {
                units.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
            };
            units.map(|units| format!("{letter}{}", numbers(units))).unwrap_or_default()
        };
        part('s', self.sites.as_ref()) + &part('d', self.departments.as_ref())
    }

    /// The numbers of a kind between commas, as statements compare them; empty: not limited.
    pub fn listed(&self, kind: UnitKind) -> String {
        let Some(units) = self.units(kind) else { return String::new() };
        let mut list = String::from(",");
        for unit in units {
            list.push_str(&unit.to_string());
            list.push(',');
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(sites: Option<&[i64]>, departments: Option<&[i64]>) -> Scope {
        let set = |units: Option<&[i64]>| units.map(|units| units.iter().copied().collect());
        Scope::of(set(sites), set(departments))
    }

    #[test]
    fn both_limits_hold_and_nothing_is_less_than_everything() {
        let whole = Scope::whole();
        assert!(whole.is_whole() && whole.holds(None, None));
        let both = scope(Some(&[1, 2]), Some(&[9]));
        assert!(both.holds(Some(2), Some(9)));
        assert!(!both.holds(Some(2), None) && !both.holds(None, Some(9)));
        assert!(!both.holds(Some(3), Some(9)));
        // Whose last site was deleted sees nothing, never everything.
        let none = scope(Some(&[]), None);
        assert!(!none.is_whole() && !none.holds(Some(1), None) && !none.holds(None, None));
        assert_eq!((none.listed(UnitKind::Site).as_str(), none.mark().as_str()), (",", "s"));
        assert_eq!(both.listed(UnitKind::Site), ",1,2,");
        assert_eq!((both.mark().as_str(), whole.mark().as_str()), ("s1,2d9", ""));
    }

    #[test]
    fn nobody_includes_more_than_themselves() {
        let (whole, berlin) = (Scope::whole(), scope(Some(&[1]), None));
        let finance = scope(None, Some(&[9]));
        let both = scope(Some(&[1]), Some(&[9]));
        for one in [&whole, &berlin, &finance, &both] {
            assert!(whole.includes(one) && one.includes(one) && one.includes(&both));
        }
        assert!(!berlin.includes(&whole) && !berlin.includes(&finance));
        assert!(!both.includes(&berlin) && !berlin.includes(&scope(Some(&[1, 2]), None)));
        assert!(berlin.includes(&scope(Some(&[]), None)));
    }
}
