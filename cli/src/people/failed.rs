//! What a directory's refusal means, and what to do.

use std::error::Error;

use ldap3::{LdapError, LdapResult};

use crate::failure::Failure;
use crate::settings::Ldap;

/// A request that came to nothing; `doing` such as `connect to`.
pub fn error(doing: &str, error: &LdapError, settings: &Ldap) -> Failure {
    let what = format!("cannot {doing} {}", settings.url);
    match error {
        LdapError::LdapResult { result } => refused(doing, result, settings),
        LdapError::Timeout { .. } => Failure::failed(format!(
            "{what}: no answer within {} s; look whether the server is up, or raise ldap.request_age_max",
            settings.request_age_max.as_secs_f32()
        )),
        LdapError::FilterParsing => Failure::usage(format!(
            "ldap.filter {:?} is no LDAP filter; write one as in RFC 4515",
            settings.filter
        )),
        LdapError::Rustls { .. } | LdapError::DNSName { .. } => Failure::failed(tls(&what, error)),
        LdapError::Io { source } if is_tls(source) => Failure::failed(tls(&what, source)),
        LdapError::EndOfStream | LdapError::ResultRecv { .. } | LdapError::OpSend { .. } => {
            Failure::failed(format!(
                "{what}: the server closed the connection; with ldaps:// look whether its port speaks TLS"
            ))
        }
        error => Failure::failed(format!("{what}: {error}; look at ldap.url and whether the server is up")),
    }
}

/// `rustls` hides in an I/O error.
fn is_tls(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

fn tls(what: &str, error: &dyn Error) -> String {
    format!(
        "{what}: TLS failed ({error}); the server's certificate must name the host in ldap.url and be signed by \
         one of ldap.ca_file or, where that is not set, of the system"
    )
}

/// An answer that says no.
pub fn refused(doing: &str, result: &LdapResult, settings: &Ldap) -> Failure {
    let said = if result.text.is_empty() { String::new() } else { format!(" ({})", result.text) };
    let why = match result.rc {
        49 => format!("wrong ldap.bind_dn or ldap.bind_password{said}"),
        32 => format!("there is no entry {:?}; correct ldap.base{said}", settings.base),
        34 => format!("a name is not written as one; correct ldap.base or ldap.bind_dn{said}"),
        3 | 4 | 11 => format!(
            "the server's limits do not let {:?} have all of {:?}{said}; raise them there, or narrow ldap.base or \
             ldap.filter; nothing was taken, since a part would close the rest",
            settings.bind_dn, settings.base
        ),
        8 | 13 => format!("the server wants TLS{said}; set ldap.start_tls, or write ldaps:// in ldap.url"),
        1 | 2 | 53 if doing == "begin TLS with" => {
            format!("the server has no StartTLS{said}; write ldaps:// in ldap.url")
        }
        1 | 50 | 53 => {
            format!("the server does not let {:?} do that{said}; set ldap.bind_dn", settings.bind_dn)
        }
        10 => format!("the entries are on another server ({}); name it in ldap.url", result.refs.join(", ")),
        code => format!("the server answers {code}{said}"),
    };
    Failure::failed(format!("cannot {doing} {}: {why}", settings.url))
}
