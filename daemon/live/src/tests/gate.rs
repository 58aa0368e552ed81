//! Leave, and what becomes of those who lose it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use earnest_pool::SessionError;

use super::kit::*;
use crate::*;

#[tokio::test(start_paused = true)]
async fn nobody_listens_once_the_gate_has_closed() {
    let mut house = House::new(LiveSettings::default());
    let mut reader = house.listen(text()).await;
    let mut switch = house.listen(commands(&[("on", "light on")])).await;
    house.device().await;
    let mut worker = house.worker().unwrap();
    house.sound(1_000).await;
    worker.take().await;
    words(&mut reader);
    words(&mut switch);
    worker.utterance(20, "a secret").await;
    house.gate.store(false, Ordering::SeqCst);
    // What was heard before is not given out, though nobody has told the task yet.
    assert_eq!(words(&mut reader), ["ended GateClosed"]);
    assert_eq!(reader.next().await, None);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(words(&mut switch), ["ended GateClosed"]);
    assert_eq!((house.open(), house.live.status().listeners), (0, vec![]));
    let refused = house.try_listen("notes", text()).await.map(|_| ());
    assert_eq!(refused, Err(ListenError::GateClosed));
}

#[tokio::test(start_paused = true)]
async fn who_came_by_a_later_opening_stays_when_an_earlier_one_ends() {
    let mut house = House::new(LiveSettings::default());
    let mut earlier = house.listen(text()).await;
    house.device().await;
    let mut worker = house.worker().unwrap();
    house.opening = 2;
    let mut later = house.listen(text()).await;
    worker.fail(SessionError::GateClosed).await;
    assert_eq!(words(&mut earlier), ["ended GateClosed"]);
    assert_eq!(words(&mut later), ["open 16000"]);
    // A worker of the later opening hears from here on.
    let mut worker = house.worker().unwrap();
    house.sound(500).await;
    worker.utterance(20, "on").await;
    assert_eq!(words(&mut later), ["started 20", "20: on", "stopped 420"]);
}

#[tokio::test(start_paused = true)]
async fn whose_leave_is_taken_back_listens_no_more() {
    let house = House::new(LiveSettings::default());
    let mut one = house.try_listen("one", text()).await.unwrap();
    let mut again = house.try_listen("one", text()).await.unwrap();
    let mut other = house.try_listen("other", text()).await.unwrap();
    assert_eq!(house.live.end_of(&"one".parse().unwrap()).await, 2);
    assert_eq!(words(&mut one), ["ended Revoked"]);
    assert_eq!(words(&mut again), ["ended Revoked"]);
    assert_eq!(words(&mut other), ["opening"]);
    assert_eq!(house.live.status().listeners.len(), 1);
    assert_eq!(house.live.end_of(&"one".parse().unwrap()).await, 0);
}
