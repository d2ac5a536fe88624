//! What a browser sends.

/// The fields of a form, in order.
pub(super) struct FormFields(Vec<(String, String)>);

impl FormFields {
    /// The form in a body or a query.
    pub(super) fn of(bytes: &[u8]) -> FormFields {
        FormFields(url::form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// The value of a field; empty if it is not there.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    /// The fields whose name begins like this: the rest of the name, and the value.
    pub(super) fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let named = move |(name, value): &'a (String, String)| {
            Some((name.strip_prefix(prefix)?, value.as_str()))
        };
        self.0.iter().filter_map(named)
    }
}
