//! The rules that put devices into sites and departments; each collector has them in memory.

use std::sync::{Arc, PoisonError};

use rollcall_shared::api::unit::{RuleTest, UnitRule};

use super::audit::{By, record};
use super::unit::kind_of;
use super::{BeginWrite as _, Error, Store, Tables, on_backend, queries};
use crate::domain::unit::{Rule, Rules, Test};

queries! {
    LIST = "SELECT r.unit, u.kind, r.test, r.pattern FROM unit_rule r \
            JOIN unit u ON u.id = r.unit ORDER BY r.position";
    CLEAR = "DELETE FROM unit_rule";
    INSERT = "INSERT INTO unit_rule (position, unit, test, pattern) VALUES ($1, $2, $3, $4)";
    NAME = "SELECT name FROM unit WHERE id = $1";
}

type Row = (i64, String, String, String);

impl Store {
    /// The rules in force.
    pub fn unit_rules(&self) -> Arc<Rules> {
        let rules = self.memory().unit_rules.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&rules)
    }

    /// The rules as people wrote them.
    pub async fn unit_rule_list(&self) -> Result<Vec<UnitRule>, Error> {
        let rows: Vec<Row> =
            on_backend!(self, read pool => sqlx::query_as(LIST).fetch_all(pool).await?);
        let rule =
            |(unit, _, test, pattern): Row| Ok(UnitRule { unit, test: test_of(&test)?, pattern });
        rows.into_iter().map(rule).collect()
    }

    /// Sets all rules. `Conflict` when one names a unit that is gone.
    pub async fn set_unit_rules(&self, rules: &[UnitRule], by: &By) -> Result<(), Error> {
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            sqlx::query(CLEAR).execute(&mut *tx).await?;
            let mut told = Vec::new();
            for (position, rule) in (1_i64..).zip(rules) {
                let name: Option<String> =
                    sqlx::query_scalar(NAME).bind(rule.unit).fetch_optional(&mut *tx).await?;
                let Some(name) = name else { return Err(Error::Conflict) };
                sqlx::query(INSERT)
                    .bind(position)
                    .bind(rule.unit)
                    .bind(rule.test.as_str())
                    .bind(&rule.pattern)
                    .execute(&mut *tx)
                    .await?;
                told.push(format!("{} {} -> {name}", rule.test.as_str(), rule.pattern));
            }
            let detail = if told.is_empty() { "none".to_owned() } else { told.join(", ") };
            record!(tx, &by.did("unit_rules_set", "rules of sites and departments", detail));
            tx.commit().await?;
        });
        self.tables().follow_unit_rules().await
    }
}

impl Tables {
    /// Reads the rules in force.
    pub(super) async fn follow_unit_rules(&self) -> Result<(), Error> {
        let rows: Vec<Row> =
            on_backend!(self, read pool => sqlx::query_as(LIST).fetch_all(pool).await?);
        let rule = |(unit, kind, test, pattern): Row| {
            let test = Test::read(test_of(&test)?, &pattern)
                .map_err(|why| Error::Damaged(format!("rule `{pattern}`: {why}")))?;
            Ok(Rule { unit, kind: kind_of(&kind)?, test })
        };
        let rules: Result<Vec<Rule>, Error> = rows.into_iter().map(rule).collect();
        let rules = Rules::new(rules?);
        let mut known = self.memory().unit_rules.write().unwrap_or_else(PoisonError::into_inner);
        if **known != rules {
            *known = Arc::new(rules);
        }
        Ok(())
    }
}

fn test_of(word: &str) -> Result<RuleTest, Error> {
    RuleTest::from_word(word).ok_or_else(|| Error::Damaged(format!("test of a rule: `{word}`")))
}
