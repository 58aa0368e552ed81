//! Jobs that wait for a place, and whose turn it is.
//!
//! Each application has a queue of its own. A place that becomes free goes to the application
//! with the fewest jobs at work, and among equals to the one whose last turn is the longest ago:
//! max-min fairness over places, so that who asks for less than its share gets all of it, and
//! nobody gains by asking for more. While an application has nothing at work and waits, every
//! other one gets one turn before it at most, so nobody starves.

use std::collections::{BTreeMap, VecDeque};

use earnest_policy::AppId;

/// Applications of which the last turn is remembered. Who is forgotten has its turn first among
/// equals, once.
const MOST_REMEMBERED: usize = 1_024;

/// What waits, by application.
#[derive(Debug)]
pub(super) struct Queues<T> {
    /// None of these is empty.
    queues: BTreeMap<AppId, VecDeque<T>>,
    length: usize,
    /// The number of the last turn that an application had.
    last_turns: BTreeMap<AppId, u64>,
    turns: u64,
}

impl<T> Queues<T> {
    pub(super) fn new() -> Queues<T> {
        Queues {
            queues: BTreeMap::new(),
            length: 0,
            last_turns: BTreeMap::new(),
            turns: 0,
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// How many of this application wait.
    pub(super) fn len_of(&self, app: &AppId) -> usize {
        self.queues.get(app).map_or(0, VecDeque::len)
    }

    /// How many wait of each application that has any, the most first.
    pub(super) fn lengths(&self) -> Vec<usize> {
        let mut lengths: Vec<usize> = self.queues.values().map(VecDeque::len).collect();
        lengths.sort_unstable_by(|one, other| other.cmp(one));
        lengths
    }

    /// The applications that wait.
    pub(super) fn apps(&self) -> impl Iterator<Item = &AppId> {
        self.queues.keys()
    }

    /// Takes a job in, behind those of its application. The caller keeps to the bounds.
    pub(super) fn push(&mut self, app: AppId, job: T) {
        self.queues.entry(app).or_default().push_back(job);
        self.length += 1;
    }

    /// The application has a place: its turn was now.
    pub(super) fn had_turn(&mut self, app: &AppId) {
        self.turns += 1;
        let known = self.last_turns.contains_key(app);
        if !known && self.last_turns.len() >= MOST_REMEMBERED {
            let oldest = self.last_turns.iter().min_by_key(|(_, turn)| **turn);
            if let Some(oldest) = oldest.map(|(app, _)| app.clone()) {
                self.last_turns.remove(&oldest);
            }
        }
        self.last_turns.insert(app.clone(), self.turns);
    }

    /// Takes the job whose turn it is. `working` says how many jobs an application has at work;
    /// who has `most_of_one` has no turn.
    pub(super) fn next(
        &mut self,
        working: &BTreeMap<AppId, usize>,
        most_of_one: usize,
    ) -> Option<T> {
        let order = |app: &AppId| {
            let at_work = working.get(app).copied().unwrap_or(0);
            let last_turn = self.last_turns.get(app).copied().unwrap_or(0);
            (at_work, last_turn)
        };
        let able = self.queues.keys().filter(|app| order(app).0 < most_of_one);
        let app = able.min_by_key(|app| order(app))?.clone();
        self.take(&app, 0)
    }

    /// Takes out the job that is meant, wherever it stands.
    pub(super) fn remove(&mut self, is_meant: impl Fn(&T) -> bool) -> Option<(AppId, T)> {
        let place = |(app, queue): (&AppId, &VecDeque<T>)| {
            let at = queue.iter().position(&is_meant)?;
            Some((app.clone(), at))
        };
        let (app, at) = self.queues.iter().find_map(place)?;
        self.take(&app, at).map(|job| (app, job))
    }

    /// Takes out all.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> + use<T> {
        self.length = 0;
        std::mem::take(&mut self.queues).into_values().flatten()
    }

    fn take(&mut self, app: &AppId, at: usize) -> Option<T> {
        let queue = self.queues.get_mut(app)?;
        let job = queue.remove(at)?;
        if queue.is_empty() {
            self.queues.remove(app);
        }
        self.length -= 1;
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(uid: u32) -> AppId {
        AppId::of_uid(uid)
    }

    fn working(counts: &[(u32, usize)]) -> BTreeMap<AppId, usize> {
        let count = |(uid, count): &(u32, usize)| (app(*uid), *count);
        counts.iter().map(count).collect()
    }

    /// The applications in the order of their turns, each of which stays at work.
    fn turns(queues: &mut Queues<u32>, counts: &[(u32, usize)], most_of_one: usize) -> Vec<u32> {
        let mut working = working(counts);
        let mut order = Vec::new();
        while let Some(uid) = queues.next(&working, most_of_one) {
            *working.entry(app(uid)).or_default() += 1;
            queues.had_turn(&app(uid));
            order.push(uid);
        }
        order
    }

    fn queues(waiting: &[u32]) -> Queues<u32> {
        let mut queues = Queues::new();
        for uid in waiting {
            queues.push(app(*uid), *uid);
        }
        queues
    }

    #[test]
    fn the_fewest_at_work_come_first() {
        let mut waiting = queues(&[1, 1, 1, 2, 3]);
        let order = turns(&mut waiting, &[(1, 2), (2, 1)], 9);
        assert_eq!(order, [3, 2, 1, 1, 1]);
        assert_eq!(waiting.len(), 0);
        assert!(waiting.lengths().is_empty());
    }

    #[test]
    fn among_equals_the_last_turn_decides() {
        let mut waiting = queues(&[1, 1, 2, 2, 3, 3]);
        for uid in [3, 1, 2] {
            waiting.had_turn(&app(uid));
        }
        assert_eq!(turns(&mut waiting, &[], 9), [3, 1, 2, 3, 1, 2]);
    }

    #[test]
    fn who_has_as_many_as_it_may_is_passed_over() {
        let mut waiting = queues(&[1, 1, 2]);
        assert_eq!(turns(&mut waiting, &[(1, 1), (2, 1)], 2), [1, 2]);
        assert_eq!((waiting.len(), waiting.len_of(&app(1))), (1, 1));
    }

    #[test]
    fn whoever_leaves_is_gone_and_the_others_keep_their_order() {
        let mut waiting = Queues::new();
        for job in [10, 11, 12] {
            waiting.push(app(1), job);
        }
        waiting.push(app(2), 20);
        assert_eq!(waiting.lengths(), [3, 1]);
        assert_eq!(waiting.remove(|job| *job == 11), Some((app(1), 11)));
        assert_eq!(waiting.remove(|job| *job == 11), None);
        assert_eq!(waiting.remove(|job| *job == 20), Some((app(2), 20)));
        assert_eq!(waiting.lengths(), [2]);
        assert_eq!(waiting.drain().collect::<Vec<_>>(), [10, 12]);
        assert_eq!((waiting.len(), waiting.apps().count()), (0, 0));
    }

    #[test]
    fn any_number_of_names_is_remembered_in_bounds() {
        let mut queues = queues(&[]);
        for uid in 0..3_000 {
            queues.had_turn(&app(uid));
        }
        assert_eq!(queues.last_turns.len(), MOST_REMEMBERED);
        assert!(queues.last_turns.contains_key(&app(2_999)));
    }
}
