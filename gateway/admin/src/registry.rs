//! Whose token a request carries, as the operators file says now.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use axum::http::{HeaderMap, header};

use crate::{
    operators::{Operator, Operators, Role},
    problem::{self, Problem},
};

/// The operators file, read again when it is another one than before: whoever is removed from it
/// is out at once. A look costs one `stat`, on the door's own thread.
#[derive(Debug)]
pub(crate) struct Registry {
    path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    stamp: Option<Stamp>,
    operators: Result<Operators, String>,
}

/// What tells one file from another; the file is only ever replaced by another one.
type Stamp = (u64, i64, i64, u64);

impl Registry {
    /// Over the file at `path`, which is read with the first request.
    pub(crate) fn new(path: PathBuf) -> Self {
        let operators = Ok(Operators::new(&path));
        Self { path, known: Mutex::new(Known { stamp: None, operators }) }
    }

    /// Who sent `headers`, if they may do what takes `role`.
    pub(crate) fn admit(&self, headers: &HeaderMap, role: Role) -> Result<Operator, Problem> {
        let token = token(headers)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = fs::metadata(&self.path).ok().map(|found| stamp(&found));
        // A file that could not be read is tried again each time: its rights may have changed.
        if stamp != known.stamp || known.operators.is_err() {
            let operators = Operators::load(&self.path).map_err(|error| error.to_string());
            *known = Known { stamp, operators };
        }
        let operators = known.operators.as_ref().map_err(|error| {
            Problem::new(&problem::OPERATORS, "nobody is let in: the operators file is damaged")
                .expected("a file as uncross operator writes it")
                .found(error.clone())
        })?;
        let operator = operators.verify(token).ok_or_else(|| {
            Problem::new(&problem::WRONG_TOKEN, "nobody has this token")
                .expected("the token of somebody whom uncross operator list shows")
        })?;
        if operator.role() < role {
            let message = format!("{} may look, and not act", operator.name());
            return Err(Problem::new(&problem::ROLE, message)
                .expected(format!("the role {}", role.name()))
                .found(format!("the role {}", operator.role().name())));
        }
        Ok(operator.clone())
    }
}

fn stamp(found: &Metadata) -> Stamp {
    (found.ino(), found.mtime(), found.mtime_nsec(), found.len())
}

/// The one token that the request carries.
fn token(headers: &HeaderMap) -> Result<&[u8], Problem> {
    const SCHEME: &str = "bearer ";
    let fail = |found: &str| {
        Problem::new(&problem::NO_TOKEN, "a token is needed here")
            .expected("one header Authorization: Bearer TOKEN")
            .found(found)
    };
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Err(fail("none")),
        (Some(_), Some(_)) => return Err(fail("two of them")),
        (Some(value), None) => value.as_bytes(),
    };
    let (scheme, token) = value.split_at_checked(SCHEME.len()).unwrap_or((value, &[]));
    let token = token.trim_ascii();
    if !scheme.eq_ignore_ascii_case(SCHEME.as_bytes()) || token.is_empty() {
        return Err(fail("another form of it"));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn one_bearer_token_is_taken_in_any_case_of_the_scheme() {
        let with = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            token(&headers).map(|found| String::from_utf8(found.to_vec()).unwrap()).ok()
        };
        for scheme in ["Bearer", "bearer", "BEARER"] {
            assert_eq!(with(&[&format!("{scheme} abc")]).as_deref(), Some("abc"));
        }
        for wrong in [&[][..], &["Bearer a", "Bearer a"], &["Bearer"], &["Bearer "], &["Basic a"]] {
            assert_eq!(with(wrong), None, "{wrong:?}");
        }
        assert_eq!(with(&["abc"]), None);
    }
}
