//! Looks whether the tables hold together: every set, document, patch and audit entry is read and
//! taken back to the beginning. Changes nothing.

use std::collections::HashSet;

use rollcall_shared::Timestamp;

use super::device::DeviceKey;
use super::{Database, Error, Store, on_backend, queries};

queries! {
    DEVICES = "SELECT key FROM device WHERE key > $1 ORDER BY key LIMIT 1000";
    STRAY_KEYS = "SELECT count(*) FROM device d
        WHERE NOT EXISTS (SELECT 1 FROM device_key k WHERE k.device = d.key)";
}

/// Problems that are told; more of them only count.
const PROBLEMS_TOLD: usize = 50;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examined {
    /// Devices looked at.
    pub devices: u64,
    /// Software titles known.
    pub titles: u64,
    /// Moments at which something changed on some device.
    pub changes: u64,
    /// Entries of the audit log.
    pub audit_entries: u64,
    /// What is wrong, in words, the first of them.
    pub problems: Vec<String>,
    /// How many things are wrong.
    pub problem_count: u64,
}

impl Examined {
    fn problem(&mut self, said: String) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_TOLD {
            self.problems.push(said);
        }
    }
}

impl Store {
    /// Examines everything. `Err` only when the database does not answer.
    pub async fn examine(&self) -> Result<Examined, Error> {
        let mut examined = Examined::default();
        self.examine_file(&mut examined).await?;
        let titles = self.titles().await?;
        let known: HashSet<u32> = titles.iter().map(|title| title.id).collect();
        examined.titles = known.len() as u64;
        let mut last = -1;
        loop {
            let page: Vec<i64> = on_backend!(self, read pool =>
                sqlx::query_scalar(DEVICES).bind(last).fetch_all(pool).await?);
            let Some(newest) = page.last() else { break };
            last = *newest;
            for key in page {
                let device = super::device::key_of(key)?;
                examined.devices += 1;
                match self.examine_device(device, &known).await {
                    Ok((changes, problems)) => {
                        examined.changes += changes;
                        for said in problems {
                            examined.problem(said);
                        }
                    }
                    Err(error @ Error::Unavailable(_)) => return Err(error),
                    Err(error) => examined.problem(format!("device {key}: {error}")),
                }
            }
        }
        let stray: i64 = on_backend!(self, read pool =>
            sqlx::query_scalar(STRAY_KEYS).fetch_one(pool).await?);
        if stray > 0 {
            examined.problem(format!("{stray} devices have no key"));
        }
        let (entries, broken) = self.verify_audit().await?;
        examined.audit_entries = entries;
        for said in broken {
            examined.problem(said);
        }
        Ok(examined)
    }

    /// What the database says of its own file.
    async fn examine_file(&self, examined: &mut Examined) -> Result<(), Error> {
        let Database::Sqlite { readers, .. } = self.database() else { return Ok(()) };
        let said: Vec<String> =
            sqlx::query_scalar("PRAGMA integrity_check").fetch_all(readers).await?;
        for line in said.into_iter().filter(|line| line != "ok") {
            examined.problem(format!("the file is damaged: {line}"));
        }
        let stray: Vec<(String, Option<i64>, String, i64)> =
            sqlx::query_as("PRAGMA foreign_key_check").fetch_all(readers).await?;
        for (table, row, parent, _) in stray {
            examined.problem(format!("{table} {row:?} names a {parent} that is not there"));
        }
        Ok(())
    }

    /// Takes one device back to its first report; how many moments there were, and what is wrong.
    async fn examine_device(
        &self,
        device: DeviceKey,
        known: &HashSet<u32>,
    ) -> Result<(u64, Vec<String>), Error> {
        let mut problems = Vec::new();
        let (moments, sets) = self.walk_back(device).await?;
        for (at, set, delta) in sets {
            let number = device.0;
            if let Some(id) = set.iter().find(|id| !known.contains(id)) {
                problems.push(format!("device {number}: title {id} is not known"));
            }
            let Some(delta) = delta else { continue };
            let agrees = delta.added.iter().all(|id| set.binary_search(id).is_ok())
                && delta.removed.iter().all(|id| set.binary_search(id).is_err());
            if !agrees {
                let at = Timestamp(at.0);
                problems.push(format!("device {number}: the change of {at} does not fit its set"));
            }
        }
        Ok((moments, problems))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::store_test;
    use super::*;

    store_test!(empty_tables_hold_together, |store| {
        assert_eq!(store.examine().await.unwrap(), Examined::default());
    });
}
