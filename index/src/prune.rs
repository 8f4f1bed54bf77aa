//! Which splits cannot hold a match. Pure.

use crate::manifest::SplitMeta;
use crate::query::{Match, Query, TimeRange};
use crate::schema::raw_term;

/// Whether the split may hold a match; `false` only when it holds none.
pub(crate) fn may_match(query: &Query, split: &SplitMeta) -> bool {
    match query {
        Query::And(parts) => parts.iter().all(|part| may_match(part, split)),
        Query::Or(parts) => parts.iter().any(|part| may_match(part, split)),
        Query::Date(range) => overlaps(range, split),
        Query::Tenant(Match::Is(tenant)) => {
            split.tenants.as_ref().is_none_or(|tenants| tenants.contains(&*raw_term(tenant)))
        }
        // The other terms are only known to the split itself, and what a `Not`
        // leaves is not known from what it takes.
        _ => true,
    }
}

fn overlaps(range: &TimeRange, split: &SplitMeta) -> bool {
    let (Some(min), Some(max)) = (split.time_ms_min, split.time_ms_max) else {
        return false;
    };
    range.from_ms.is_none_or(|from| from <= max) && range.to_ms.is_none_or(|to| min < to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prunes_by_time_and_tenant_only() {
        let split = SplitMeta {
            id: String::new(),
            bytes: 0,
            first_version: 0,
            last_version: 0,
            files: 1,
            docs: 1,
            time_ms_min: Some(10),
            time_ms_max: Some(20),
            tenants: Some(["contoso.example".to_owned()].into()),
            compacted: false,
        };
        let untimed = SplitMeta { time_ms_min: None, time_ms_max: None, tenants: None, ..split.clone() };
        let date = |from_ms, to_ms| Query::Date(TimeRange { from_ms, to_ms });
        let tenant = |name: &str| Query::Tenant(name.into());
        for (query, expected, when_untimed) in [
            (Query::All, true, true),
            (date(Some(20), None), true, false),
            (date(Some(21), None), false, false),
            (date(None, Some(10)), false, false),
            (date(None, Some(11)), true, false),
            (tenant("contoso.example"), true, true),
            (tenant("fabrikam.example"), false, true),
            (Query::negated(tenant("contoso.example")), true, true),
            (Query::and(vec![Query::text("a").unwrap(), date(Some(30), None)]), false, false),
            (Query::or(vec![Query::text("a").unwrap(), date(Some(30), None)]), true, true),
            (Query::or(vec![date(Some(30), None), tenant("fabrikam.example")]), false, true),
        ] {
            assert_eq!(may_match(&query, &split), expected, "{query:?}");
            assert_eq!(may_match(&query, &untimed), when_untimed, "{query:?}");
        }
    }
}
