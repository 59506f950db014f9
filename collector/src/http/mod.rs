//! Every route on one page, grouped by who calls it: agents, API clients, browsers.
