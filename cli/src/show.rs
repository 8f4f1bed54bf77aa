//! stub
pub mod hits {
    pub fn table<T>(_: &[T], _: &jiff::tz::TimeZone, _: bool) -> String {
        String::new()
    }
    pub fn json<T>(_: &T) -> String {
        String::new()
    }
    pub fn jsonl<T>(_: &T) -> String {
        String::new()
    }
}
pub mod record {
    pub fn record(_: &custody_archive::Record, _: &jiff::tz::TimeZone, _: bool) -> String {
        String::new()
    }
}
pub mod conversation {
    pub fn conversation(
        _: &[custody_archive::Record],
        _: &jiff::tz::TimeZone,
        _: Option<&custody_schemas::Position>,
        _: usize,
    ) -> String {
        String::new()
    }
}
