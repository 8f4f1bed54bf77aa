//! What was asked for, by whom and why.

use custody_schemas::Hash;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::settings::REQUEST_TEXT_BYTES_MAX;

/// The format version of requests that this code writes.
pub const REQUEST_VERSION: u32 = 1;

/// The form that records are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One JSON object a line.
    JsonLines,
}

/// A request for a production. It goes into the receipt as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Format version of this request.
    pub version: u32,
    /// The query as it was typed.
    pub query: String,
    /// The query as it was understood: every default and every date written out.
    pub query_canonical: String,
    /// The time zone that the query's dates are in, an IANA name.
    pub zone: String,
    /// Who asked.
    pub who: String,
    /// Why: a matter, a case, an order.
    pub why: String,
    /// The form of the records.
    pub format: Format,
}

impl Request {
    /// Refuses what no receipt should hold.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.version != REQUEST_VERSION {
            return Err(Error::invalid(format!("request version {} is not known", self.version)));
        }
        let texts = [
            ("query", &self.query),
            ("query_canonical", &self.query_canonical),
            ("zone", &self.zone),
            ("who", &self.who),
            ("why", &self.why),
        ];
        match texts.into_iter().find(|(_, text)| text.len() > REQUEST_TEXT_BYTES_MAX) {
            Some((name, text)) => Err(Error::invalid(format!(
                "the request's {name} has {} bytes; at most {REQUEST_TEXT_BYTES_MAX} are accepted",
                text.len()
            ))),
            None => Ok(()),
        }
    }
}

/// The id of a production, made from all that decides its bytes: 32 hexadecimal
/// digits, the first half of
/// `SHA-256("custody.production.v1" || 0x00 || request as JSON || 0x00 ||
/// through_version in decimal || 0x00 || custody_version || 0x00 || digest of the
/// records in hexadecimal)`.
pub(crate) fn production_id(
    request: &Request,
    through_version: u64,
    custody_version: &str,
    digest: Hash,
) -> Result<String, Error> {
    let json = serde_json::to_string(request).map_err(|e| Error::json("a request", e))?;
    let mut hasher = Sha256::new();
    hasher.update(b"custody.production.v1");
    for part in [json.as_str(), &through_version.to_string(), custody_version, &digest.to_string()] {
        hasher.update([0]);
        hasher.update(part);
    }
    let mut id = Hash(hasher.finalize().into()).to_string();
    id.truncate(32);
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The oldest form: it must be read for ever.
    const GOLDEN_V1: &str = r#"{"version":1,"query":"merger","query_canonical":"text:merger","zone":"Europe/Berlin","who":"dana@contoso.example","why":"case 7","format":"json_lines"}"#;

    #[test]
    fn golden_v1() {
        let request: Request = serde_json::from_str(GOLDEN_V1).unwrap();
        assert_eq!(serde_json::to_string(&request).unwrap(), GOLDEN_V1);
        let digest = Hash([1; 32]);
        let id = production_id(&request, 7, "0.1.0", digest).unwrap();
        assert_eq!(id, GOLDEN_ID);
        let others = [
            production_id(&request, 8, "0.1.0", digest),
            production_id(&request, 7, "0.1.1", digest),
            production_id(&request, 7, "0.1.0", Hash([2; 32])),
            production_id(&Request { why: "case 8".into(), ..request.clone() }, 7, "0.1.0", digest),
        ];
        others.into_iter().for_each(|other| assert_ne!(other.unwrap(), id));
    }

    const GOLDEN_ID: &str = "58df1cfae6049e17c320e2ba77e1f4ce";

    #[test]
    fn what_no_receipt_should_hold_is_refused() {
        let good: Request = serde_json::from_str(GOLDEN_V1).unwrap();
        assert!(good.check().is_ok());
        let long = "x".repeat(REQUEST_TEXT_BYTES_MAX + 1);
        for (bad, expected) in [
            (Request { version: 2, ..good.clone() }, "request version 2"),
            (Request { why: long, ..good.clone() }, "the request's why has 65537 bytes"),
        ] {
            let error = bad.check().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
