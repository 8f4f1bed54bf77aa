//! The parts of a mail: texts and files.

use super::body::{Encoding, base64};
use super::header::Header;
use crate::document::Attachment;

/// A media type that is longer is not one.
const MEDIA_TYPE_MAX: usize = 60;

/// Begins a part.
pub(super) fn begin(out: &mut Vec<u8>, boundary: &str) {
    out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
}

/// Ends the last part.
pub(super) fn end(out: &mut Vec<u8>, boundary: &str) {
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
}

/// The header of what consists of parts, and the empty line.
pub(super) fn multipart(out: &mut Vec<u8>, kind: &str, boundary: &str) {
    let mut header = Header::new(out, "Content-Type");
    header.word(&format!("multipart/{kind};"));
    header.word(&format!("boundary=\"{boundary}\""));
    header.end();
    out.extend_from_slice(b"\r\n");
}

/// A text, its lines ending with `\n`, as `text/KIND`.
pub(super) fn text(out: &mut Vec<u8>, kind: &str, text: &str) {
    let encoding = Encoding::of(text);
    let head = format!(
        "Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: {}\r\n\r\n",
        encoding.name()
    );
    out.extend_from_slice(head.as_bytes());
    encoding.write(text, out);
}

/// A file.
pub(super) fn file(out: &mut Vec<u8>, attachment: &Attachment, bytes: &[u8]) {
    let media_type = attachment.media_type.as_deref().filter(|text| is_media_type(text));
    let head = format!(
        "Content-Type: {}\r\nContent-Transfer-Encoding: base64\r\n",
        media_type.unwrap_or("application/octet-stream")
    );
    out.extend_from_slice(head.as_bytes());
    disposition(out, attachment, &attachment.name);
    base64(bytes, out);
}

/// What stands for a file that is not there.
pub(super) fn placeholder(out: &mut Vec<u8>, attachment: &Attachment, says: &str) {
    let encoding = Encoding::of(says);
    let head = format!(
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {}\r\n",
        encoding.name()
    );
    out.extend_from_slice(head.as_bytes());
    disposition(out, attachment, &format!("{}.missing.txt", attachment.name));
    encoding.write(says, out);
}

/// The name and what proves it, and the empty line.
fn disposition(out: &mut Vec<u8>, attachment: &Attachment, name: &str) {
    let mut header = Header::new(out, "Content-Disposition");
    header.word("attachment");
    header.parameter("filename", name);
    header.end();
    let mut header = Header::new(out, "X-Custody-Number");
    header.text(&attachment.number);
    header.end();
    if let Some(sha256) = &attachment.sha256 {
        let mut header = Header::new(out, "X-Custody-SHA-256");
        header.text(sha256);
        header.end();
    }
    out.extend_from_slice(b"\r\n");
}

/// `type/subtype` of tokens (RFC 2045, section 5.1). Mails and what consists of parts are none here: they
/// must not be encoded (RFC 2046, section 5.2.1), and a reader would look into them.
fn is_media_type(text: &str) -> bool {
    let is_token = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    let Some((kind, subkind)) = text.split_once('/') else { return false };
    let is_opaque = !["message", "multipart"].iter().any(|other| kind.eq_ignore_ascii_case(other));
    text.len() <= MEDIA_TYPE_MAX && is_opaque && is_token(kind) && is_token(subkind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types() {
        for (text, expected) in [
            ("application/pdf", true),
            ("image/svg+xml", true),
            ("", false),
            ("text", false),
            ("text/", false),
            ("text/plain; charset=x", false),
            ("text/plain\r\nBcc: a", false),
            ("Message/rfc822", false),
            ("multipart/mixed", false),
        ] {
            assert_eq!(is_media_type(text), expected, "{text}");
        }
    }
}
