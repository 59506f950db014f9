//! The collector's door: the suite of the program `door` in its short form.

use std::process::Command;
use std::time::Duration;

use rollcall_tests::door::bombs::Bombs;
use rollcall_tests::door::crowd::Crowd;
use rollcall_tests::door::guesses::Guesses;
use rollcall_tests::door::place::Place;
use rollcall_tests::door::{asked, bombs, crowd, guesses, handles, secrets};
use rollcall_tests::programs::{binary, free_address};

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_whole_run_is_logged_or_stored() {
    secrets::searched().await.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_and_dripping_crowd_leaves_honest_devices_alone() {
    let crowd = Crowd { silent: 320, dripping: 60, honest: 10, closed_within: None };
    crowd::run(crowd).await.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_with_few_file_handles_hears_its_devices() {
    handles::few(128, 512, 600).await.assert_sound();
    handles::few(128, 4_096, 600).await.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_are_refused_by_the_real_program_and_cost_no_memory() {
    bombs::run(Bombs { bytes: 128 * 1024 * 1024, refused_within: None }).await.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_stop_no_check_in() {
    let time = Duration::from_secs(3);
    let guesses = Guesses { at_once: 200, honest: 8, time, slower_by: None };
    guesses::run(guesses).await.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn random_questions_get_answers_of_the_document() {
    asked::run(&["auditor", "it"], 5, 2).await.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_served_on_this_computer_alone() {
    let refused = Command::new(binary("rollcall"))
        .args(["serve", "--metrics", "0.0.0.0:9464", "--data", "no-such-folder"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("127.0.0.1"), "it names the next step: {said}");

    let address = free_address();
    let place = Place::start(&["--metrics", &address.to_string()]).await;
    let client = rollcall_tests::wire::client();
    let figures = client.get(format!("http://{address}/metrics")).send().await.unwrap();
    assert_eq!(figures.status(), 200);
    let text = figures.text().await.unwrap();
    assert!(text.contains("rollcall_build_info") && text.contains("rollcall_sign_ins_total"));
    let other = client.get(format!("http://{address}/devices")).send().await.unwrap();
    assert_eq!(other.status(), 404, "nothing else is there");
    let (status, _) = place.console.get("/metrics").await;
    assert_eq!(status, 404, "nor are figures where people are");
    for folder in ["no-such-folder", "../no-such-folder"] {
        assert!(!std::path::Path::new(folder).exists(), "what is refused makes nothing");
    }
}
