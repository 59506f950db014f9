//! A route table: path, method, handler, and the right that the handler asks for.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use rollcall_shared::api::account::Role;

use crate::app::App;

/// Who may call a route. The handler's extractor enforces it; a test compares the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Everybody.
    Public,
    /// Whoever signs with a device's key or holds an enrolment token.
    Agent,
    /// Whoever includes this role.
    Role(Role),
    /// Whoever may export: `auditor` or `it`.
    Reader,
    /// Whoever includes this role and is not limited to some sites or departments: for what
    /// belongs to everybody.
    Whole(Role),
}

impl Access {
    /// Whether a person or program of this role may call the route.
    pub fn allows(self, role: Role) -> bool {
        match self {
            Self::Public => true,
            Self::Agent => false,
            Self::Role(needed) | Self::Whole(needed) => role.includes(needed),
            Self::Reader => role.includes(Role::Auditor) || role.includes(Role::It),
        }
    }
}

/// One row of the table.
pub struct Route {
    /// Method.
    pub method: Method,
    /// Path in axum's spelling, e.g. `/devices/{id}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    handler: MethodRouter<App>,
}

/// A table of routes.
#[derive(Default)]
pub struct Routes(Vec<Route>);

impl Routes {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a `GET` route (it answers `HEAD` as well).
    #[must_use]
    pub fn get<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::GET, path, access, on(MethodFilter::GET, handler))
    }

    /// Adds a `POST` route.
    #[must_use]
    pub fn post<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::POST, path, access, on(MethodFilter::POST, handler))
    }

    /// Adds a `PUT` route.
    #[must_use]
    pub fn put<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::PUT, path, access, on(MethodFilter::PUT, handler))
    }

    /// Adds a `PATCH` route.
    #[must_use]
    pub fn patch<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::PATCH, path, access, on(MethodFilter::PATCH, handler))
    }

    /// Adds a `DELETE` route.
    #[must_use]
    pub fn delete<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::DELETE, path, access, on(MethodFilter::DELETE, handler))
    }

    /// Adds all routes of another table.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The rows.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.0.iter()
    }

    /// The table as a router.
    pub fn into_router(self) -> Router<App> {
        self.0.into_iter().fold(Router::new(), |router, row| router.route(row.path, row.handler))
    }

    pub(super) fn add(
        mut self,
        method: Method,
        path: &'static str,
        access: Access,
        handler: MethodRouter<App>,
    ) -> Self {
        self.0.push(Route { method, path, access, handler });
        self
    }
}
