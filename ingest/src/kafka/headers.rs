//! The headers of a message as librdkafka has them.
//!
//! The client library's own reader ends the process at a name that is not UTF-8. A name is a
//! C string to librdkafka: one that holds a NUL is cut there before we see it.
#![allow(unsafe_code)]

use std::borrow::Cow;
use std::ffi::CStr;
use std::ptr;
use std::slice;

use rdkafka::bindings::rd_kafka_header_get_all;
use rdkafka::message::{BorrowedHeaders, Headers as _};
use rdkafka::types::RDKafkaRespErr;
use smallvec::SmallVec;

/// A header's name and value.
pub type Header<'a> = (Cow<'a, str>, Option<&'a [u8]>);

/// Those of one message; a few take no memory of their own.
pub type Headers<'a> = SmallVec<[Header<'a>; 4]>;

/// Every header, in order.
pub(super) fn headers(headers: &BorrowedHeaders) -> Headers<'_> {
    (0..headers.count()).filter_map(|at| header(headers, at)).collect()
}

fn header(headers: &BorrowedHeaders, at: usize) -> Option<Header<'_>> {
    let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
    let native = ptr::from_ref(headers).cast();
    // SAFETY: a `BorrowedHeaders` is librdkafka's own list by another name (that is how the client
    // library makes and reads it), and the three places are ours to be written.
    let found = unsafe { rd_kafka_header_get_all(native, at, &mut name, &mut value, &mut size) };
    if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR || name.is_null() {
        return None;
    }
    // SAFETY: a name that was found is a C string which lives as long as the list.
    let name = unsafe { CStr::from_ptr(name) };
    let value = (!value.is_null()).then(|| {
        // SAFETY: a value that is there has so many bytes, which live as long as the list.
        unsafe { slice::from_raw_parts(value.cast::<u8>(), size) }
    });
    Some((text(name.to_bytes()), value))
}

/// UTF-8 as it is. A byte that is part of none becomes the character U+F700 plus the byte, in the
/// private use area: nothing is lost, and no two names become one unless somebody uses these.
fn text(name: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(name) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    for chunk in name.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(0xf700 + u32::from(*byte))));
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use rdkafka::message::{Header as New, OwnedHeaders};

    use super::*;

    #[test]
    fn every_header_is_read() {
        let list = OwnedHeaders::new()
            .insert(New { key: "a", value: Some("1") })
            .insert(New { key: "ü", value: Some("") })
            .insert(New::<&str> { key: "", value: None });
        let found = headers(list.as_borrowed());
        let expected: [Header<'_>; 3] =
            [("a".into(), Some(&b"1"[..])), ("ü".into(), Some(&b""[..])), ("".into(), None)];
        assert_eq!(found[..], expected);
    }

    #[test]
    fn names_that_are_not_utf8_stay_apart() {
        assert_eq!(text(b"ok"), "ok");
        assert_eq!(text(b"a\xff\xc3b"), "a\u{f7ff}\u{f7c3}b");
        assert_ne!(text(b"\xff"), text(b"\xfe"));
    }
}
