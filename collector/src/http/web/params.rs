//! The query of an address as a list of names and values, from which other addresses are made.
//!
//! A list page's whole state stands in its address; every link of the page is this list with one
//! value changed.

use super::filters::encoded;

/// Names and values of a query, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Params(pub(super) Vec<(String, String)>);

impl Params {
    /// The first value of this name that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, v)| n == name && !v.trim().is_empty()).map(|(_, v)| v.trim())
    }

    /// The first value, owned.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// All values of this name.
    pub(super) fn all<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The same with these names taken out.
    pub(super) fn without(&self, names: &[&str]) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(n, v)| !names.contains(&n.as_str()) && !v.is_empty())
                .cloned()
                .collect(),
        )
    }

    /// The same with this name having this one value. The page of the list starts again.
    pub(super) fn with(&self, name: &str, value: &str) -> Self {
        let mut changed = self.without(&[name, "cursor"]);
        changed.0.push((name.to_owned(), value.to_owned()));
        changed
    }

    /// The address of `path` with this query.
    pub(super) fn href(&self, path: &str) -> String {
        let query = self.query();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }

    /// The query without `?`.
    pub(super) fn query(&self) -> String {
        let pairs: Vec<String> =
            self.0.iter().map(|(n, v)| format!("{}={}", encoded(n), encoded(v))).collect();
        pairs.join("&")
    }
}

/// An address made of a path and pairs.
pub(super) fn link(path: &str, pairs: &[(&str, &str)]) -> String {
    Params(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()).href(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_changes_and_the_rest_stays() {
        let params = Params(vec![
            ("q".into(), "a&b".into()),
            ("cursor".into(), "x".into()),
            ("col".into(), "os".into()),
            ("col".into(), "user".into()),
        ]);
        assert_eq!(
            params.with("os", "Debian 12").href("/devices"),
            "/devices?q=a%26b&col=os&col=user&os=Debian%2012"
        );
        assert_eq!(params.without(&["q", "col", "cursor"]).href("/devices"), "/devices");
        assert_eq!(params.all("col").count(), 2);
    }
}
