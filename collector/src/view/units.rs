//! Sites and departments, with how many devices belong to each.

use rollcall_shared::api::unit::Unit;

use super::Error;
use crate::app::App;
use crate::domain::Scope;
use crate::store::unit::UnitRow;

/// Those that may be seen in a scope, sites first, by name; of their devices those in the scope.
pub async fn list(app: &App, scope: &Scope) -> Result<Vec<Unit>, Error> {
    app.fleet.ready().await;
    let rows = app.store.units().await?;
    let fleet = app.fleet.read();
    let (within, units) = (fleet.within(scope), &fleet.facets().units);
    let unit = |UnitRow { id, kind, name }: UnitRow| {
        let devices = units.get(&id).map_or(0, |devices| match &within {
            Some(within) => devices.intersection_len(within),
            None => devices.len(),
        });
        Unit { id, kind, name, devices }
    };
    Ok(rows.into_iter().filter(|row| scope.has_unit(row.kind, row.id)).map(unit).collect())
}
