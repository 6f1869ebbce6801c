//! A report in a real browser.

use super::chromium::Chromium;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{cell::RefCell, path::Path};

/// An open report, and what went wrong or out while it was open.
pub struct Report {
    /// A browser of its own: one that is not in sight draws nothing.
    browser: RefCell<Chromium>,
    heard: RefCell<Heard>,
}

/// What a page must not do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    /// Errors and exceptions on its console.
    pub errors: Vec<String>,
    /// What it asked for, but for itself and what it holds.
    pub requests: Vec<String>,
}

impl Report {
    /// Opens a page, with a fragment such as `#list=2`; none where there is no browser.
    pub fn open(path: &Path, fragment: &str) -> Option<Self> {
        let mut browser = Chromium::start()?;
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.call("Page.navigate", json!({"url": format!("file://{}{fragment}", path.display())}));
        browser.wait_for("Page.loadEventFired");
        Some(Self { browser: RefCell::new(browser), heard: RefCell::default() })
    }

    fn call(&self, method: &str, params: Value) -> Value {
        self.browser.borrow_mut().call(method, params)
    }

    /// What it has done so far that it must not.
    pub fn heard(&self) -> Heard {
        self.settle();
        for event in self.browser.borrow_mut().take_events() {
            self.heard.borrow_mut().listen(&event);
        }
        self.heard.borrow().clone()
    }

    /// What an expression comes to; a promise is waited for.
    pub fn evaluate(&self, expression: &str) -> Value {
        let wrapped = format!("(async () => JSON.stringify(await ({expression})))()");
        let answer = self.call("Runtime.evaluate", json!({"expression": wrapped, "awaitPromise": true}));
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        match &answer["result"]["value"] {
            Value::String(json) => serde_json::from_str(json).unwrap(),
            _ => Value::Null,
        }
    }

    /// Draws every figure, also those that are not in sight.
    pub fn draw_all(&self) {
        self.evaluate("window.algolens.drawAll().then(() => null)");
    }

    /// Presses the right arrow key on the element that a selector finds.
    pub fn press_arrow_right(&self, selector: &str) {
        self.evaluate(&format!("void document.querySelector({selector:?}).focus()"));
        for kind in ["rawKeyDown", "keyUp"] {
            let key = json!({"type": kind, "key": "ArrowRight", "code": "ArrowRight", "windowsVirtualKeyCode": 39});
            self.call("Input.dispatchKeyEvent", key);
        }
        self.settle();
    }

    /// Puts the mouse on a part of the element that a selector finds: shares of its width and height.
    pub fn hover(&self, selector: &str, at: (f64, f64)) {
        self.mouse(self.point(selector, at), &["mouseMoved"]);
    }

    /// Clicks on a part of an element.
    pub fn click(&self, selector: &str, at: (f64, f64)) {
        self.mouse(self.point(selector, at), &["mouseMoved", "mousePressed", "mouseReleased"]);
    }

    fn mouse(&self, (x, y): (f64, f64), events: &[&str]) {
        for &event in events {
            let button = if event == "mouseMoved" { "none" } else { "left" };
            let event = json!({"type": event, "x": x, "y": y, "button": button, "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event);
        }
        self.settle();
    }

    fn point(&self, selector: &str, (x, y): (f64, f64)) -> (f64, f64) {
        let place = self.evaluate(&format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{block: 'center'}}); \
             const b = e.getBoundingClientRect(); return [b.x + b.width * {x}, b.y + b.height * {y}]; }})()"
        ));
        self.settle();
        let at = |i: usize| place[i].as_f64().unwrap_or_else(|| panic!("{selector} is not on the page"));
        (at(0), at(1))
    }

    /// Waits until what was asked for is drawn.
    pub fn settle(&self) {
        self.evaluate(
            "new Promise(done => setTimeout(() => requestAnimationFrame(() => done(null)), 150)) \
             .then(() => window.algolens?.setState({})).then(() => null)",
        );
    }

    /// Waits until a condition holds on the page.
    pub fn wait_until(&self, condition: &str) {
        self.evaluate(&format!(
            "new Promise(done => {{ const look = () => {condition} ? done(true) : setTimeout(look, 20); look(); }})"
        ));
    }

    /// Shows the page as a device of this width has it.
    pub fn resize(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", size);
        self.settle();
    }

    /// Asks for the light or the dark theme.
    pub fn prefer(&self, theme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": theme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
        self.settle();
    }

    /// A picture of the whole page, on a screen of this width that is as high as the page.
    pub fn picture(&self, width: u32) -> Vec<u8> {
        let height = self.evaluate("document.documentElement.scrollHeight").as_f64().unwrap();
        self.resize(width, height as u32);
        self.draw_all();
        self.settle();
        self.screenshot()
    }

    /// A picture of what is in sight.
    pub fn screenshot(&self) -> Vec<u8> {
        let picture = self.call("Page.captureScreenshot", json!({"format": "png"}));
        STANDARD.decode(picture["data"].as_str().expect("a picture is text")).expect("a picture is base64")
    }
}

impl Heard {
    fn listen(&mut self, event: &Value) {
        let params = &event["params"];
        match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => self.errors.push(params["exceptionDetails"].to_string()),
            Some("Runtime.consoleAPICalled") if params["type"] == "error" => {
                self.errors.push(params["args"].to_string());
            }
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => {
                self.errors.push(params["entry"]["text"].to_string());
            }
            Some("Network.requestWillBeSent") => {
                let url = params["request"]["url"].as_str().unwrap_or_default();
                let own = url.starts_with("data:") || url.starts_with("blob:");
                let page = url.starts_with("file://") && url.contains(".html");
                if !own && !page {
                    self.requests.push(url.to_owned());
                }
            }
            _ => {}
        }
    }
}
