//! Any use of tokens by anybody at any time, against the simplest model of them.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, Copy)]
enum Act {
    Issue(u32),
    /// By this user, the token with this number.
    Renew(u32, usize),
    Revoke(u32, usize),
    ForgetAll,
    Show(u32, usize),
}

fn acts() -> impl Strategy<Value = Vec<(u64, Act)>> {
    let user = || prop_oneof![Just(USER), Just(OTHER)];
    let act = prop_oneof![
        6 => user().prop_map(Act::Issue),
        4 => (user(), 0_usize..8).prop_map(|(uid, token)| Act::Renew(uid, token)),
        2 => (user(), 0_usize..8).prop_map(|(uid, token)| Act::Revoke(uid, token)),
        1 => Just(Act::ForgetAll),
        6 => (prop_oneof![user(), Just(STRANGER)], 0_usize..8)
            .prop_map(|(uid, token)| Act::Show(uid, token)),
    ];
    prop::collection::vec((0_u64..200, act), 1..60)
}

struct Given {
    token: Token,
    uid: u32,
    until: u64,
}

proptest! {
    #[test]
    fn a_token_works_for_its_user_until_its_end_and_for_nobody_else(acts in acts()) {
        let policy = policy();
        let mut given: Vec<Given> = Vec::new();
        let mut now = 0;
        for (passed, act) in acts {
            now += passed;
            match act {
                Act::Issue(uid) => {
                    let live = given.iter().filter(|one| one.uid == uid && now < one.until);
                    let live = live.count();
                    let app = AppId::of_uid(uid);
                    match policy.issue(&peer(&policy, uid), app, at(now), wall(now)) {
                        Ok(Issued { token, until, .. }) => {
                            prop_assert!(live < MAX_TOKENS_OF_A_USER);
                            prop_assert_eq!(until, at(now + 300));
                            given.push(Given { token, uid, until: now + 300 });
                        }
                        Err(_) => prop_assert_eq!(live, MAX_TOKENS_OF_A_USER),
                    }
                }
                Act::Renew(uid, number) => if let Some(one) = given.get_mut(number) {
                    let renewed = policy.renew(&peer(&policy, uid), one.token.expose(), at(now));
                    prop_assert_eq!(renewed.is_ok(), one.uid == uid && now < one.until);
                    if renewed.is_ok() {
                        one.until = now + 300;
                    }
                },
                Act::Revoke(uid, number) => if let Some(one) = given.get_mut(number)
                    && policy.revoke(&peer(&policy, uid), one.token.expose(), at(now))
                {
                    prop_assert_eq!(one.uid, uid);
                    one.until = 0;
                },
                Act::ForgetAll => {
                    policy.forget_all();
                    given.iter_mut().for_each(|one| one.until = 0);
                }
                Act::Show(uid, number) => if let Some(one) = given.get(number) {
                    let shown = Some(one.token.expose());
                    let permit = transcribe(&policy, loopback(uid), shown, now);
                    prop_assert_eq!(permit.is_ok(), one.uid == uid && now < one.until);
                },
            }
            let live = given.iter().filter(|one| now < one.until).count();
            prop_assert_eq!(policy.live_tokens(at(now)), live);
            prop_assert!(live <= MAX_TOKENS);
        }
    }

    #[test]
    fn no_text_is_a_token(bearer in "\\PC{0,60}", uid in any::<u32>()) {
        let policy = policy();
        let token = token(&policy, USER, 0);
        prop_assume!(bearer != token.expose());
        prop_assert!(transcribe(&policy, loopback(uid), Some(&bearer), 1).is_err());
    }

    #[test]
    fn one_character_makes_another_token(place: prop::sample::Index, character in "[!-~]") {
        let policy = policy();
        let token = token(&policy, USER, 0);
        let place = place.index(token.expose().len());
        let mut text = token.expose().to_owned();
        text.replace_range(place..place + 1, &character);
        let permit = transcribe(&policy, loopback(USER), Some(&text), 1);
        prop_assert_eq!(permit.is_ok(), text == token.expose());
    }
}
