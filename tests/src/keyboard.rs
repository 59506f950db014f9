//! A page used by its keys alone: what cannot be reached with Tab, or shows no sign of having the
//! focus, fails the test.

use fantoccini::Locator;

use crate::browser::Browser;

/// The protocol's names of keys.
const TAB: &str = "\u{E004}";
const ENTER: &str = "\u{E007}";

/// No page of ours has as many places to go.
const MOST_STEPS: u32 = 400;

/// Whether the focused element matches; and if it does, whether one can see that it has the focus.
const FOCUSED: &str = "
    const e = document.activeElement;
    if (!e || !e.matches(arguments[0])) return 'elsewhere';
    const style = getComputedStyle(e);
    const box = e.getBoundingClientRect();
    const inside = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight;
    const marked = style.outlineStyle !== 'none' || style.boxShadow !== 'none';
    return inside && marked ? 'seen' : `unseen: outline ${style.outlineStyle}, shadow \
${style.boxShadow}, from ${box.top} to ${box.bottom} of ${innerHeight}`;";

/// What can be used on this page and is left out by Tab.
const UNREACHABLE: &str = "
    const usable = 'a[href],button,input:not([type=hidden]),select,textarea,summary';
    return [...document.querySelectorAll(usable)]
        .filter(e => !e.disabled && e.getClientRects().length && e.tabIndex < 0)
        .map(e => e.outerHTML.slice(0, 120));";

impl Browser {
    /// Sends keys to whatever has the focus.
    pub async fn keys(&self, keys: &str) {
        let focused = self.page.active_element().await.expect("something has the focus");
        focused.send_keys(keys).await.expect("it takes keys");
    }

    /// Goes with Tab to the next element that matches.
    pub async fn tab_to(&self, selector: &str) {
        for _ in 0..MOST_STEPS {
            self.keys(TAB).await;
            let at = self.page.execute(FOCUSED, vec![selector.into()]).await.expect("a script");
            match at.as_str().unwrap_or_default() {
                "elsewhere" => {}
                "seen" => return,
                said => panic!("{selector} has the focus and does not show it: {said}"),
            }
        }
        panic!("Tab never comes to {selector} on {:?}", self.page.current_url().await);
    }

    /// Goes to a field and types.
    pub async fn type_into(&self, selector: &str, text: &str) {
        self.tab_to(selector).await;
        self.keys(text).await;
    }

    /// Goes to a box and ticks it, or unticks it.
    pub async fn tick(&self, selector: &str) {
        self.tab_to(selector).await;
        self.keys(" ").await;
    }

    /// Goes to a button or link, presses Enter, and waits for the page that it leads to.
    pub async fn press(&self, selector: &str, leads_to: &str) {
        self.tab_to(selector).await;
        self.keys(ENTER).await;
        self.until_at(leads_to).await;
        let main = Locator::Css("main h1");
        self.page.wait().for_element(main).await.expect("a page has a heading");
    }

    /// What on this page no key reaches.
    pub async fn unreachable_by_keys(&self) -> Vec<String> {
        let found = self.page.execute(UNREACHABLE, Vec::new()).await.expect("a script");
        serde_json::from_value(found).expect("a list of texts")
    }
}
