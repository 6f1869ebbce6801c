//! A report in a real browser.

use headless_chrome::{
    Browser, LaunchOptions, Tab,
    protocol::cdp::{Emulation, Log, Network, Page, Runtime, types::Event},
};
use serde_json::Value;
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

/// The browser of this machine: what `CHROME` names, or Chromium on the path.
fn chromium() -> Option<PathBuf> {
    let on_path = |name: &str| {
        let folders = std::env::var_os("PATH")?;
        std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
    };
    let named = std::env::var_os("CHROME").map(PathBuf::from);
    named.or_else(|| ["chromium", "chromium-browser", "google-chrome"].iter().find_map(|name| on_path(name)))
}

/// A browser; none, said on one line, where there is none. In CI there must be one.
fn browser() -> Option<Browser> {
    let Some(path) = chromium() else {
        assert!(std::env::var_os("CI").is_none(), "CI needs Chromium for the tests of the report");
        eprintln!("skipped: no Chromium here (name one with CHROME)");
        return None;
    };
    const QUIET: [&str; 6] = [
        "--hide-scrollbars",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
    ];
    let options = LaunchOptions::default_builder()
        .path(Some(path))
        .sandbox(false)
        .window_size(Some((1280, 900)))
        .idle_browser_timeout(Duration::from_secs(300))
        .args(QUIET.iter().map(OsStr::new).collect())
        .build()
        .expect("the options are complete");
    Some(Browser::new(options).expect("Chromium starts"))
}

/// An open report, and what went wrong or out while it was open.
pub struct Report {
    /// A browser of its own: one that is not in sight draws nothing.
    _browser: Browser,
    tab: Arc<Tab>,
    heard: Arc<Mutex<Heard>>,
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
        let browser = browser()?;
        let tab = browser.new_tab().expect("a tab opens");
        tab.set_default_timeout(Duration::from_secs(60));
        let heard = Arc::new(Mutex::new(Heard::default()));
        let sink = heard.clone();
        tab.add_event_listener(Arc::new(move |event: &Event| listen(&mut sink.lock().unwrap(), event))).unwrap();
        tab.call_method(Runtime::Enable(None)).unwrap();
        tab.call_method(Log::Enable(None)).unwrap();
        tab.call_method(network()).unwrap();
        let url = format!("file://{}{fragment}", path.display());
        tab.navigate_to(&url).unwrap().wait_until_navigated().unwrap();
        Some(Self { _browser: browser, tab, heard })
    }

    /// What it has done so far that it must not.
    pub fn heard(&self) -> Heard {
        self.heard.lock().unwrap().clone()
    }

    /// What an expression comes to; a promise is waited for.
    pub fn evaluate(&self, expression: &str) -> Value {
        let wrapped = format!("(async () => JSON.stringify(await ({expression})))()");
        let result = self.tab.evaluate(&wrapped, true).unwrap_or_else(|error| panic!("{expression}: {error}"));
        match result.value {
            Some(Value::String(json)) => serde_json::from_str(&json).unwrap(),
            _ => Value::Null,
        }
    }

    /// Draws every figure, also those that are not in sight.
    pub fn draw_all(&self) {
        self.evaluate("window.algolens.drawAll().then(() => null)");
    }

    /// Presses a key on the element that a selector finds.
    pub fn press(&self, selector: &str, key: &str) {
        self.evaluate(&format!("void document.querySelector({selector:?}).focus()"));
        self.tab.press_key(key).unwrap();
        self.settle();
    }

    /// Puts the mouse on a part of the element that a selector finds: shares of its width and height.
    pub fn hover(&self, selector: &str, (x, y): (f64, f64)) {
        self.tab.move_mouse_to_point(self.point(selector, (x, y))).unwrap();
        self.settle();
    }

    /// Clicks on a part of an element.
    pub fn click(&self, selector: &str, (x, y): (f64, f64)) {
        self.tab.click_point(self.point(selector, (x, y))).unwrap();
        self.settle();
    }

    fn point(&self, selector: &str, (x, y): (f64, f64)) -> headless_chrome::browser::tab::point::Point {
        let place = self.evaluate(&format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{block: 'center'}}); \
             const b = e.getBoundingClientRect(); return [b.x + b.width * {x}, b.y + b.height * {y}]; }})()"
        ));
        self.settle();
        let at = |i: usize| place[i].as_f64().unwrap_or_else(|| panic!("{selector} is not on the page"));
        headless_chrome::browser::tab::point::Point { x: at(0), y: at(1) }
    }

    /// Waits until what was asked for is drawn.
    pub fn settle(&self) {
        self.evaluate("new Promise(done => setTimeout(() => requestAnimationFrame(() => done(null)), 150))");
    }

    /// Shows the page as a device of this width has it.
    pub fn resize(&self, width: u32, height: u32) {
        self.tab
            .call_method(Emulation::SetDeviceMetricsOverride {
                width,
                height,
                device_scale_factor: 1.0,
                mobile: width < 600,
                scale: None,
                screen_width: None,
                screen_height: None,
                position_x: None,
                position_y: None,
                dont_set_visible_size: None,
                screen_orientation: None,
                viewport: None,
                display_feature: None,
                device_posture: None,
            })
            .unwrap();
        self.settle();
    }

    /// Asks for the light or the dark theme.
    pub fn prefer(&self, theme: &str) {
        let feature = Emulation::MediaFeature { name: "prefers-color-scheme".into(), value: theme.into() };
        self.tab.call_method(Emulation::SetEmulatedMedia { media: None, features: Some(vec![feature]) }).unwrap();
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
        self.tab.capture_screenshot(Page::CaptureScreenshotFormatOption::Png, None, None, true).unwrap()
    }
}

fn network() -> Network::Enable {
    Network::Enable {
        max_total_buffer_size: None,
        max_resource_buffer_size: None,
        max_post_data_size: None,
        report_direct_socket_traffic: None,
        enable_durable_messages: None,
    }
}

fn listen(heard: &mut Heard, event: &Event) {
    match event {
        Event::RuntimeExceptionThrown(thrown) => heard.errors.push(format!("{:?}", thrown.params.exception_details)),
        Event::RuntimeConsoleAPICalled(called)
            if matches!(called.params.Type, Runtime::ConsoleAPICalledEventTypeOption::Error) =>
        {
            heard.errors.push(format!("{:?}", called.params.args));
        }
        Event::LogEntryAdded(added) if matches!(added.params.entry.level, Log::LogEntryLevel::Error) => {
            heard.errors.push(added.params.entry.text.clone());
        }
        Event::NetworkRequestWillBeSent(sent) => {
            let url = &sent.params.request.url;
            let own = url.starts_with("data:") || url.starts_with("blob:");
            let page = url.starts_with("file://") && url.contains(".html");
            if !own && !page {
                heard.requests.push(url.clone());
            }
        }
        _ => {}
    }
}
