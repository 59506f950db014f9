use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::TestRunner;

use super::*;
use crate::store::audit_chain::{Tampered, Verified};
use crate::store::testing::{another, run, store_test};

/// Entries of the log that is tampered with.
const ROWS: i64 = 12;

fn entry(at: i64) -> AuditEntry {
    AuditEntry {
        at: Timestamp(at),
        actor: "anna".into(),
        action: "tried".into(),
        object: "a thing".into(),
        detail: "'; DROP TABLE audit --".into(),
    }
}

/// What the owner of the database can do.
async fn without_triggers(store: &Store) {
    let all: &[&str] = match store.backend() {
        "sqlite" => &["audit_no_replace", "audit_no_update", "audit_no_delete"],
        _ => &["audit_no_change ON audit", "audit_no_truncate ON audit"],
    };
    for trigger in all {
        run(store, &format!("DROP TRIGGER {trigger}")).await.unwrap();
    }
}

async fn tampered(store: &Store) -> Vec<Tampered> {
    store.verify_audit_chain(None).await.unwrap().tampered
}

store_test!(entries_are_chained_and_never_changed, |store| {
    for at in 1..=3 {
        assert_eq!(store.audit(&entry(at)).await.unwrap().number, at);
    }
    let found = store.newest_audit_entries(10).await.unwrap();
    assert_eq!(found, [entry(3), entry(2), entry(1)]);
    assert_eq!(store.newest_audit_entries(2).await.unwrap().len(), 2);
    let replace = "INSERT OR REPLACE INTO audit SELECT id, at, 'x', action, object, detail, \
                   previous_hash, hash, marks FROM audit WHERE id = 2";
    for sql in ["UPDATE audit SET actor = 'x'", "DELETE FROM audit", replace] {
        assert!(run(&store, sql).await.is_err(), "{sql}");
    }
    let head = store.audit_head().await.unwrap();
    let whole = Verified { entries: 3, head, tampered: Vec::new() };
    assert_eq!(store.verify_audit_chain(head).await.unwrap(), whole);
    assert_eq!(head, head.map(|head| head.to_string().parse().unwrap()));
});

store_test!(any_changed_column_is_named, |store| {
    let mut runner = TestRunner::deterministic();
    let mut any = |pattern: &'static str| {
        let strategy = proptest::string::string_regex(pattern).unwrap();
        strategy.new_tree(&mut runner).unwrap().current()
    };
    for at in 1..=ROWS {
        let (actor, object, detail) = (any("[a-z]{0,9}"), any(".{0,20}"), any(".{0,40}"));
        let entry = AuditEntry { at: Timestamp(at * 7), actor, action: "x".into(), object, detail };
        store.audit(&entry).await.unwrap();
    }
    without_triggers(&store).await;
    run(&store, "CREATE TABLE kept AS SELECT * FROM audit").await.unwrap();
    let bytes = |hex: &str| match store.backend() {
        "sqlite" => format!("x'{hex}'"),
        _ => format!("decode('{hex}', 'hex')"),
    };
    for round in 0..80 {
        let row: i64 = any("[0-9]{1,6}").parse::<i64>().unwrap() % ROWS + 1;
        let (column, value) = match round % 9 {
            0 => ("id", format!("{}", if round % 2 == 0 { row + 1000 } else { -row })),
            1 => ("at", format!("at + {}", row + 1)),
            2 => ("actor", format!("actor || '{}'", any("[a-z]{1,5}"))),
            3 => ("action", format!("'{}'", any("[a-z]{2,5}"))),
            4 => ("object", format!("'{}!!' || object", any("[a-z]{0,5}"))),
            5 => ("detail", "detail || ' '".to_owned()),
            6 => ("previous_hash", bytes(&any("[0-9a-f]{64}"))),
            7 => ("hash", bytes(&any("[0-9a-f]{64}"))),
            _ => ("marks", bytes(&any("([0-9a-f]{2}){0,48}"))),
        };
        run(&store, &format!("UPDATE audit SET {column} = {value} WHERE id = {row}"))
            .await
            .unwrap();
        let number = match column {
            "id" => value.parse().unwrap(),
            _ => row,
        };
        let expected = [Tampered::Column { entry: number, column }];
        assert_eq!(tampered(&store).await, expected, "{column} of {row}");
        run(&store, "DELETE FROM audit; INSERT INTO audit SELECT * FROM kept").await.unwrap();
        assert_eq!(tampered(&store).await, []);
    }
});

store_test!(missing_entries_and_a_log_written_anew_are_found, |store| {
    for at in 1..=9 {
        store.audit(&entry(at)).await.unwrap();
    }
    let kept = store.audit_head().await.unwrap();
    without_triggers(&store).await;
    run(&store, "DELETE FROM audit WHERE id IN (4, 5, 9)").await.unwrap();
    assert_eq!(tampered(&store).await, [Tampered::Missing(4, 5), Tampered::Missing(9, 9)]);
    // The log goes on, and the gaps stay visible.
    assert_eq!(store.audit(&entry(10)).await.unwrap().number, 10);
    assert_eq!(tampered(&store).await, [Tampered::Missing(4, 5), Tampered::Missing(9, 9)]);
    // Who owns the database can write it all anew, but not into what was kept elsewhere.
    run(&store, "DELETE FROM audit; UPDATE counter SET value = 0 WHERE name = 'audit'")
        .await
        .unwrap();
    for at in 1..=9 {
        store.audit(&entry(at * 2)).await.unwrap();
    }
    assert_eq!(tampered(&store).await, []);
    let found = store.verify_audit_chain(kept).await.unwrap();
    assert_eq!(found.tampered, [Tampered::OtherHead(9)]);
});

store_test!(collectors_write_one_chain, |store| {
    let other = another(&store).await;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let store = if writer % 2 == 0 { store.clone() } else { other.clone() };
        tasks.spawn(async move {
            for at in 0..10 {
                store.audit(&entry(at)).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let found = store.verify_audit_chain(None).await.unwrap();
    assert_eq!((found.entries, found.tampered), (80, Vec::new()));
});

store_test!(pages_of_a_past_range_stay_as_they_are, |store| {
    for at in 0..10 {
        let entry = AuditEntry {
            actor: if at % 2 == 0 { "anna (API token 3)" } else { "Ben_B" }.into(),
            action: if at % 3 == 0 { "export" } else { "sign_in" }.into(),
            object: format!("thing {at} 100%"),
            ..entry(at)
        };
        store.audit(&entry).await.unwrap();
    }
    let range = AuditQuery { from: Timestamp(2), before: Timestamp(8), ..AuditQuery::default() };
    let numbers = async |query: &AuditQuery, below: Option<i64>, limit: u32| {
        let found = store.audit_entries(query, below, limit).await.unwrap();
        found.iter().map(|one| one.head.number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&range, None, 4).await, [8, 7, 6, 5]);
    store.audit(&entry(5)).await.unwrap();
    assert_eq!(numbers(&range, Some(5), 4).await, [4, 3]);
    assert_eq!(store.count_audit_entries(&range).await.unwrap(), 7);
    let only = |actor: &str, action: &str, object: &str| AuditQuery {
        actor: actor.into(),
        action: action.into(),
        object: object.into(),
        ..AuditQuery::default()
    };
    assert_eq!(numbers(&only("ANNA", "export", ""), None, 9).await, [7, 1]);
    assert_eq!(numbers(&only("n_b", "", ""), None, 2).await, [10, 8]);
    assert_eq!(numbers(&only("a_i", "", ""), None, 9).await, [0_i64; 0]);
    assert_eq!(numbers(&only("", "", "9 100%"), None, 9).await, [10]);
    assert_eq!(store.audit_actions(None).await.unwrap(), ["export", "sign_in", "tried"]);
    assert_eq!(store.audit_entry(3).await.unwrap().unwrap().entry.object, "thing 2 100%");
    assert_eq!(store.audit_entry(99).await.unwrap(), None);
});
