//! All people of a directory; knows LDAP.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use custody_archive::guarded;
use custody_index::people::ROWS_MAX;
use ldap3::adapters::{Adapter, PagedResults};
use ldap3::{LdapConn, LdapConnSettings, LdapError, ResultEntry, Scope, SearchEntry};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::entry::{Entry, Found, attributes, people};
use super::failed;
use crate::failure::Failure;
use crate::settings::Ldap;

/// Everybody that the settings name. All of them, or an error: whoever is missing would be closed.
pub fn everybody(settings: &Ldap) -> Result<Found, Failure> {
    // The library asserts what servers send it.
    let read = guarded(|| {
        let mut connection = connect(settings)?;
        bind(&mut connection, settings)?;
        let entries = search(&mut connection, settings)?;
        // The answer is whole already.
        let _ = connection.unbind();
        Ok(entries)
    });
    let entries = read.unwrap_or_else(|said| {
        Err(Failure::failed(format!("{} does not speak LDAP as it should: {said}", settings.url)))
    })?;
    people(entries, settings).map_err(Failure::failed)
}

fn connect(settings: &Ldap) -> Result<LdapConn, Failure> {
    let clear = settings.url.starts_with("ldap://") && !settings.start_tls;
    let mut how = LdapConnSettings::new().set_conn_timeout(settings.request_age_max);
    if !clear {
        how = how.set_config(Arc::new(tls(&settings.ca_file)?)).set_starttls(true);
    }
    let starts = settings.url.starts_with("ldap://") && !clear;
    let doing = |error: &LdapError| match error {
        LdapError::LdapResult { .. } if starts => "begin TLS with",
        _ => "connect to",
    };
    LdapConn::with_settings(how, &settings.url).map_err(|e| failed::error(doing(&e), &e, settings))
}

/// The certificates that are trusted: those of a file, or the system's.
fn tls(ca_file: &Path) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    if ca_file.as_os_str().is_empty() {
        let native = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(native.certs);
    } else {
        let wrong = |e: &dyn std::fmt::Display| {
            Failure::usage(format!("ldap.ca_file {} cannot be read as PEM: {e}", ca_file.display()))
        };
        for certificate in CertificateDer::pem_file_iter(ca_file).map_err(|e| wrong(&e))? {
            roots.add(certificate.map_err(|e| wrong(&e))?).map_err(|e| wrong(&e))?;
        }
    }
    if roots.is_empty() {
        return Err(Failure::usage(
            "there are no certificates to trust; set ldap.ca_file to a PEM file of some",
        ));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| Failure::failed(format!("TLS cannot be set up: {e}")))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn bind(connection: &mut LdapConn, settings: &Ldap) -> Result<(), Failure> {
    if settings.bind_dn.is_empty() {
        return Ok(());
    }
    let bound = connection
        .with_timeout(settings.request_age_max)
        .simple_bind(&settings.bind_dn, &settings.bind_password)
        .map_err(|e| failed::error("sign in to", &e, settings))?;
    if bound.rc == 0 { Ok(()) } else { Err(failed::refused("sign in to", &bound, settings)) }
}

fn search(connection: &mut LdapConn, settings: &Ldap) -> Result<Vec<Entry>, Failure> {
    const DOING: &str = "search";
    let page = i32::try_from(settings.page_entries).unwrap_or(i32::MAX);
    let adapters: Vec<Box<dyn Adapter<'_, String, Vec<String>>>> = vec![Box::new(PagedResults::new(page))];
    let mut stream = connection
        .with_timeout(settings.request_age_max)
        .streaming_search_with(
            adapters,
            &settings.base,
            Scope::Subtree,
            &settings.filter,
            attributes(settings),
        )
        .map_err(|e| failed::error(DOING, &e, settings))?;
    let mut entries = Vec::new();
    while let Some(found) = stream.next().map_err(|e| failed::error(DOING, &e, settings))? {
        // Where Active Directory says that there are other domains: they are not asked for.
        if found.is_ref() || found.is_intermediate() {
            continue;
        }
        if entries.len() == ROWS_MAX {
            return Err(Failure::failed(format!(
                "{} has more than {ROWS_MAX} entries; narrow ldap.base or ldap.filter",
                settings.url
            )));
        }
        entries.push(entry(found));
    }
    let done = stream.result();
    if done.rc == 0 { Ok(entries) } else { Err(failed::refused(DOING, &done, settings)) }
}

/// The library sorts values into text and bytes; here all are bytes.
fn entry(found: ResultEntry) -> Entry {
    let found = SearchEntry::construct(found);
    let mut values: HashMap<String, Vec<Vec<u8>>> = found.bin_attrs;
    for (name, texts) in found.attrs {
        values.entry(name).or_default().extend(texts.into_iter().map(String::into_bytes));
    }
    Entry { dn: found.dn, values }
}
