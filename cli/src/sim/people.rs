//! Who there is: computed from a number, so that millions of users need no memory.

use custody_schemas::event::Party;

use super::rng::mix;
use super::talk::number;
use super::words::{FIRST, LAST};

/// Somebody of the simulated world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// A Lync user of the tenant.
    Lync(u32),
    /// A Skype user somewhere.
    Skype(u32),
    /// A SIP user of a federated company.
    Sip(u32),
    /// The administrator of the tenant.
    Admin,
}

/// The domain of the federated company.
pub(super) const FEDERATED_DOMAIN: &str = "fabrikam.example";

/// The world's size and domain.
#[derive(Debug)]
pub(super) struct People {
    pub(super) users: u32,
    pub(super) tenant: String,
}

impl People {
    /// Contact number `n` of a Lync user: 50 % of the same company, 40 % Skype,
    /// 10 % of a federated company. Always the same for the same user.
    pub(super) fn contact(&self, user: u32, n: u64) -> Who {
        let hash = mix(u64::from(user) + 1, n);
        let other = (hash >> 32) as u32;
        match hash % 10 {
            0..5 => Who::Lync((user + 1 + other % (self.users - 1)) % self.users),
            5..9 => Who::Skype(other % self.users),
            _ => Who::Sip(other % self.users),
        }
    }

    /// The party, as the gateway names it.
    pub(super) fn party(&self, who: Who) -> Party<'static> {
        let network = match who {
            Who::Lync(_) | Who::Admin => "lync",
            Who::Skype(_) => "skype",
            Who::Sip(_) => "sip",
        };
        let scope = match who {
            Who::Lync(_) | Who::Admin => "internal",
            Who::Skype(_) | Who::Sip(_) => "federated",
        };
        Party {
            network: Some(network.into()),
            address: Some(self.address(who).into()),
            scope: Some(scope.into()),
            ..Party::default()
        }
    }

    /// The party with its display name.
    pub(super) fn named(&self, who: Who) -> Party<'static> {
        Party { name: Some(name(who).into()), ..self.party(who) }
    }

    /// `sip:first.last@contoso.example`, `live:first.last`.
    pub(super) fn address(&self, who: Who) -> String {
        let (scheme, domain) = match who {
            Who::Lync(_) | Who::Admin => ("sip:", self.tenant.as_str()),
            Who::Skype(_) => ("live:", ""),
            Who::Sip(_) => ("sip:", FEDERATED_DOMAIN),
        };
        let mut address = String::with_capacity(48);
        address.push_str(scheme);
        local_part(who, &mut address);
        if !domain.is_empty() {
            address.push('@');
            address.push_str(domain);
        }
        address
    }

    /// What somebody types who looks for that person.
    pub(super) fn email(&self, who: Who) -> String {
        let mut email = String::with_capacity(48);
        local_part(who, &mut email);
        email.push('@');
        email.push_str(match who {
            Who::Lync(_) | Who::Admin => &self.tenant,
            Who::Skype(_) => "outlook.example",
            Who::Sip(_) => FEDERATED_DOMAIN,
        });
        email
    }
}

/// User agent.
pub(super) fn client(who: Who) -> &'static str {
    let (list, n): ([&str; 4], u32) = match who {
        Who::Lync(n) => {
            (["UCCAPI/15.0.4420 Lync", "Lync/15.0 Mobile", "UCCAPI/15.0.4420 Lync", "LyncWeb/5.0"], n)
        }
        Who::Skype(n) => (["Skype/6.5 Windows", "Skype/4.2 Linux", "Skype/6.5 Windows", "Skype/6.3 Mac"], n),
        Who::Sip(n) => (["RTCC/5.0 Edge", "Bria/3.5", "RTCC/5.0 Edge", "RTCC/5.0 Edge"], n),
        Who::Admin => (["LyncControlPanel/5.0"; 4], 0),
    };
    list[(n % 4) as usize]
}

/// First and last name by number, and a number for the second bearer of a name.
fn names(who: Who) -> ((&'static str, &'static str), (&'static str, &'static str), u64) {
    let n = match who {
        Who::Lync(n) => n as usize,
        Who::Skype(n) => n as usize + 1,
        Who::Sip(n) => n as usize + 2,
        Who::Admin => return (("federation", "Federation"), ("admin", "Administrator"), 0),
    };
    let first = n % FIRST.len();
    let last = (n / FIRST.len() + 7 * first) % LAST.len();
    (FIRST[first], LAST[last], (n / (FIRST.len() * LAST.len())) as u64)
}

fn local_part(who: Who, out: &mut String) {
    let (first, last, again) = names(who);
    out.push_str(first.0);
    out.push('.');
    out.push_str(last.0);
    if again > 0 {
        number(again + 1, out);
    }
}

fn name(who: Who) -> String {
    let (first, last, _) = names(who);
    let mut name = String::with_capacity(first.1.len() + last.1.len() + 1);
    name.push_str(first.1);
    name.push(' ');
    name.push_str(last.1);
    name
}
