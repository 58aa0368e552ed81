//! All accounts, bounded.

use std::collections::BTreeMap;
use std::time::Duration;

use super::account::{Account, Amounts};
use super::bucket::SharedTime;
use super::{AppLimits, Limited, LimitedBy, Whose};
use crate::AppId;

/// Most applications that are watched at a time: four times what can be registered. Who has used
/// up nothing makes room.
pub const MAX_APPS_WATCHED: usize = 1024;

/// Most users that are watched at a time.
pub const MAX_USERS_WATCHED: usize = 256;

/// Most names of one user that are watched one by one, where nobody registered them. All further
/// names of that user are one.
pub const MAX_NAMES_OF_A_USER: usize = 32;

/// How long to wait for an account when all are taken.
const WAIT_FOR_AN_ACCOUNT: Duration = Duration::from_secs(60);

/// The accounts of applications and of users.
#[derive(Default)]
pub(super) struct Ledger {
    apps: BTreeMap<AppId, Account>,
    users: BTreeMap<u32, Account>,
    time: SharedTime,
}

/// How far somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Who.
    pub who: Who,
    /// Requests that run.
    pub at_work: u32,
    /// Requests that may run at the same time.
    pub at_once: u32,
    /// Sound that was heard in the last day.
    pub heard: Duration,
    /// Sound that may be heard in a day.
    pub daily_sound: Duration,
    /// Requests that were refused for these limits, since it is watched.
    pub refused: u64,
}

/// Whose standing it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// One application.
    App(AppId),
    /// All applications of a user.
    User(u32),
}

impl Ledger {
    /// Lets a request begin, and says under which name it is counted.
    pub(super) fn take(
        &mut self,
        app: &AppId,
        uid: u32,
        limits: &AppLimits,
        throttle: f32,
        now: Duration,
    ) -> Result<AppId, Limited> {
        let now = self.time.advance(now);
        let app = self.counted_as(app, uid);
        self.open_accounts(&app, uid, limits, now)?;
        let (Some(of_app), Some(of_user)) = (self.apps.get_mut(&app), self.users.get_mut(&uid))
        else {
            return Err(crowded(Whose::App));
        };
        // The application's own bucket comes first, and gets back what the user's refuses: nobody
        // pays for another's refusals.
        let of = |whose| move |(by, retry_after)| limited(by, whose, retry_after);
        let taken = of_app
            .has_room(now)
            .map_err(of(Whose::App))
            .and_then(|()| of_user.has_room(now).map_err(of(Whose::User)))
            .and_then(|()| of_app.ask(throttle, now).map_err(of(Whose::App)))
            .and_then(|()| {
                let asked = of_user.ask(1.0, now).map_err(of(Whose::User));
                asked.inspect_err(|_| of_app.unask(throttle, now))
            });
        match taken {
            Ok(()) => {
                of_app.at_work += 1;
                of_user.at_work += 1;
                Ok(app)
            }
            Err(limited) => {
                let account = match limited.whose {
                    Whose::App => of_app,
                    Whose::User => of_user,
                };
                account.refused = account.refused.saturating_add(1);
                Err(limited)
            }
        }
    }

    pub(super) fn heard(&mut self, app: &AppId, uid: u32, sound: Duration, now: Duration) -> bool {
        let now = self.time.advance(now);
        // Who has a request at work has an account. Both are charged, whatever one says.
        let app = self.apps.get_mut(app);
        let of_app = app.is_some_and(|account| account.heard(sound, now));
        let user = self.users.get_mut(&uid);
        let of_user = user.is_some_and(|account| account.heard(sound, now));
        of_app && of_user
    }

    pub(super) fn give_back(&mut self, app: &AppId, uid: u32) {
        let accounts = [self.apps.get_mut(app), self.users.get_mut(&uid)];
        for account in accounts.into_iter().flatten() {
            account.at_work = account.at_work.saturating_sub(1);
        }
    }

    pub(super) fn standings(&mut self, now: Duration) -> Vec<Standing> {
        let now = self.time.advance(now);
        let apps = self.apps.iter_mut();
        let apps = apps.map(|(app, account)| standing(Who::App(app.clone()), account, now));
        let users = self.users.iter_mut();
        let users = users.map(|(uid, account)| standing(Who::User(*uid), account, now));
        apps.chain(users).collect()
    }

    /// Makes sure that both have an account, with these limits. A user's grow to what the most
    /// generous application has, and stay so while anything of the user is remembered.
    fn open_accounts(
        &mut self,
        app: &AppId,
        uid: u32,
        limits: &AppLimits,
        now: Duration,
    ) -> Result<(), Limited> {
        let (of_app, of_user) = (Amounts::of_app(limits), Amounts::of_user(limits));
        if let Some(account) = self.apps.get_mut(app) {
            account.set(of_app, now);
        } else if has_place(&mut self.apps, MAX_APPS_WATCHED, now) {
            let account = Account::new(of_app, uid, &self.time);
            self.apps.insert(app.clone(), account);
        } else {
            return Err(crowded(Whose::App));
        }
        if let Some(account) = self.users.get_mut(&uid) {
            account.set(account.amounts.or_more(&of_user), now);
        } else if has_place(&mut self.users, MAX_USERS_WATCHED, now) {
            let account = Account::new(of_user, uid, &self.time);
            self.users.insert(uid, account);
        } else {
            return Err(crowded(Whose::User));
        }
        Ok(())
    }

    /// The name that an application is counted under: its own, as long as its user does not make
    /// up too many.
    fn counted_as(&self, app: &AppId, uid: u32) -> AppId {
        if !app.is_of_a_uid() || self.apps.contains_key(app) {
            return app.clone();
        }
        let named = self.apps.iter();
        let named = named.filter(|(app, account)| app.is_of_a_uid() && account.owner == uid);
        match named.count() < MAX_NAMES_OF_A_USER {
            true => app.clone(),
            false => AppId::of_uid(uid),
        }
    }
}

/// Whether there is a place for one more account; who has used up nothing makes room.
fn has_place<K: Ord>(accounts: &mut BTreeMap<K, Account>, most: usize, now: Duration) -> bool {
    if accounts.len() >= most {
        accounts.retain(|_, account| !account.is_idle(now));
    }
    accounts.len() < most
}

fn standing(who: Who, account: &mut Account, now: Duration) -> Standing {
    Standing {
        who,
        at_work: account.at_work,
        at_once: account.amounts.at_once,
        heard: account.spent(now),
        daily_sound: account.amounts.daily_sound,
        refused: account.refused,
    }
}

fn limited(by: LimitedBy, whose: Whose, retry_after: Duration) -> Limited {
    Limited {
        by,
        whose,
        retry_after,
    }
}

fn crowded(whose: Whose) -> Limited {
    limited(LimitedBy::Crowd, whose, WAIT_FOR_AN_ACCOUNT)
}
