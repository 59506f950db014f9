//! Whoever guesses passwords keeps nobody else waiting.

use rollcall_shared::api::account::Role;

use super::*;

/// Wrong passwords at the same time.
const GUESSES: usize = 200;
/// What the pool takes in; the rest is sent away.
const QUEUE: usize = 32;

/// A sign-in that names somebody, from an address of its own as a proxy tells it.
fn guess(number: usize) -> Request {
    let address = format!("10.7.{}.{}", number / 250, number % 250);
    Request::post("/sign-in")
        .header("sec-fetch-site", "same-origin")
        .header("x-forwarded-for", address)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .extension(super::super::client::Peer(([127, 0, 0, 1], 40_000).into()))
        .body(Body::from(format!("name=guess{number}&password=wrong+password&next=%2F")))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_wrong_passwords_keep_no_check_in_waiting() {
    let collector = Collector::ready_behind(HERE).await;
    let token = collector.enrollment_token().await;
    let id = enroll(&collector, &new_key(1), &token, "PF3A1B2C").await.unwrap().device_id;
    let id = id.to_string();
    collector.api_token(Role::Helpdesk).await;
    let (cookie, _) = collector.session(Role::Helpdesk).await;

    // No hash makes any progress: the worst moment, for as long as the test likes.
    let held = collector.app.guard.passwords.hold().await;
    let guesses: Vec<_> = (0..GUESSES)
        .map(|number| tokio::spawn(collector.router.clone().oneshot(guess(number))))
        .collect();
    while collector.app.guard.passwords.waiting() < QUEUE
        || guesses.iter().filter(|guess| guess.is_finished()).count() < GUESSES - QUEUE
    {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    for seq in 1..=20 {
        let answer = collector.send(check_in(&new_key(1), &id, seq).request()).await;
        assert_eq!(answer.status(), StatusCode::OK, "report {seq}");
        let page = Request::get("/devices").header(COOKIE, &cookie).body(Body::empty()).unwrap();
        assert_eq!(collector.send(page).await.status(), StatusCode::OK);
    }
    assert_eq!(collector.app.guard.passwords.waiting(), QUEUE, "all of it while they wait");

    drop(held);
    let (mut refused, mut sent_away) = (0, 0);
    for guess in guesses {
        let answer = guess.await.unwrap().unwrap();
        match answer.status() {
            StatusCode::UNAUTHORIZED => refused += 1,
            StatusCode::SERVICE_UNAVAILABLE => sent_away += 1,
            other => panic!("a guess was answered {other}"),
        }
    }
    assert_eq!((refused, sent_away), (QUEUE, GUESSES - QUEUE));
}
