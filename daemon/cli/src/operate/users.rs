//! Users by id or by name, as they are given to `--uid`.

use std::str::FromStr;

use nix::unistd::User;

/// A user that exists, or an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UserArgument(pub(super) u32);

impl FromStr for UserArgument {
    type Err = UserError;

    fn from_str(told: &str) -> Result<UserArgument, UserError> {
        if let Ok(uid) = told.parse() {
            return Ok(UserArgument(uid));
        }
        match User::from_name(told) {
            Ok(Some(user)) => Ok(UserArgument(user.uid.as_raw())),
            Ok(None) => Err(UserError::Unknown),
            Err(error) => Err(UserError::System(error)),
        }
    }
}

/// Why there is no user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UserError {
    /// Nobody has that name.
    #[error("this machine has no user of that name")]
    Unknown,
    /// The system does not say who is who.
    #[error("the system's users cannot be looked up: {0}")]
    System(nix::errno::Errno),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_an_id_or_a_name_that_the_system_knows() {
        assert_eq!("1000".parse(), Ok(UserArgument(1000)));
        assert_eq!("root".parse(), Ok(UserArgument(0)));
        assert_eq!("-1".parse::<UserArgument>(), Err(UserError::Unknown));
        assert_eq!(
            "no such user".parse::<UserArgument>(),
            Err(UserError::Unknown)
        );
    }
}
