//! Forms of words: `*` stands for any characters or none, `?` for one.

use serde::{Deserialize, Serialize};

/// A form. It is compared character by character; case was taken care of before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Glob(String);

impl Glob {
    /// A form; several stars in a row mean what one means.
    pub(crate) fn new(form: &str) -> Glob {
        let mut out = String::with_capacity(form.len());
        for c in form.chars() {
            if c != '*' || !out.ends_with('*') {
                out.push(c);
            }
        }
        Glob(out)
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether everything is of this form.
    pub(crate) fn is_any(&self) -> bool {
        self.0 == "*"
    }

    /// What everything of this form begins with.
    pub(crate) fn prefix(&self) -> &str {
        &self.0[..self.0.find(['*', '?']).unwrap_or(self.0.len())]
    }

    /// What everything of this form ends with.
    pub(crate) fn suffix(&self) -> &str {
        &self.0[self.0.rfind(['*', '?']).map_or(0, |at| at + 1)..]
    }

    /// What stands between its stars and question marks, with what is before the first and behind the
    /// last, in order; some of it is empty.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split(['*', '?'])
    }

    /// Whether a text is of this form. Takes time of both lengths multiplied at worst.
    pub fn matches(&self, text: &str) -> bool {
        let (mut form, mut rest) = (self.0.as_str(), text);
        // Where to go on when what follows the last star does not fit here.
        let mut retry: Option<(&str, &str)> = None;
        loop {
            let mut after = form.chars();
            match (after.next(), rest.chars().next()) {
                (Some('*'), _) => {
                    form = after.as_str();
                    retry = Some((form, rest));
                    continue;
                }
                (None, None) => return true,
                (Some(wanted), Some(c)) if wanted == '?' || wanted == c => {
                    form = after.as_str();
                    rest = &rest[c.len_utf8()..];
                    continue;
                }
                _ => {}
            }
            let Some((again, from)) = retry else { return false };
            let Some(c) = from.chars().next() else { return false };
            let from = &from[c.len_utf8()..];
            (form, rest) = (again, from);
            retry = Some((again, from));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (form, text, expected) in [
            ("contract*", "contract", true),
            ("contract*", "contracts", true),
            ("contract*", "contra", false),
            ("colo?r", "colour", true),
            ("colo?r", "color", false),
            ("*berg", "heidelberg", true),
            ("*berg", "bergen", false),
            ("*berg", "bergberg", true),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXbXb", false),
            ("?", "ž", true),
            ("??", "ž", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("**a***", "xax", true),
        ] {
            assert_eq!(Glob::new(form).matches(text), expected, "{form} {text}");
        }
        assert_eq!(Glob::new("**a***").as_str(), "*a*");
        for (form, prefix, suffix) in [
            ("*berg", "", "berg"),
            ("col?ž*x", "col", "x"),
            ("a*", "a", ""),
            ("?", "", ""),
            ("ab", "ab", "ab"),
        ] {
            assert_eq!((Glob::new(form).prefix(), Glob::new(form).suffix()), (prefix, suffix), "{form}");
        }
    }

    #[test]
    fn stars_do_not_multiply() {
        let form = Glob::new(&"a*".repeat(200));
        assert!(!form.matches(&format!("{}b", "ab".repeat(100))) || form.prefix() == "a");
        assert!(!Glob::new(&format!("{}b", "a*".repeat(100))).matches(&"a".repeat(50_000)));
    }
}
