//! Chromium, driven by its DevTools protocol over two pipes.

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Chromium takes commands on its descriptor 3 and answers on 4: the child's standard input and output, moved there.
const MOVED: &str = r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null"#;

const FLAGS: [&str; 12] = [
    "--remote-debugging-pipe",
    "--headless",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--window-size=1280,900",
    "--force-color-profile=srgb",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
];

/// The browser of this machine: what `CHROME` names, or Chromium on the path.
fn executable() -> Option<PathBuf> {
    let on_path = |name: &str| {
        let folders = std::env::var_os("PATH")?;
        std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
    };
    let named = std::env::var_os("CHROME").map(PathBuf::from);
    named.or_else(|| ["chromium", "chromium-browser", "google-chrome"].iter().find_map(|name| on_path(name)))
}

/// A browser with one tab. Its answers and events come in the order in which they happened.
pub struct Chromium {
    process: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    /// The tab's session; none while there is no tab.
    session: Option<String>,
    sent: u64,
    /// Events that nobody has taken yet.
    events: Vec<Value>,
    _profile: TempDir,
}

impl Chromium {
    /// A browser; none, said on one line, where there is none. In CI there must be one.
    pub fn start() -> Option<Self> {
        let Some(executable) = executable().filter(|_| cfg!(unix)) else {
            assert!(std::env::var_os("CI").is_none(), "CI needs Chromium for the tests of the report");
            eprintln!("skipped: no Chromium here (name one with CHROME; these tests need Unix)");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let mut process = Command::new("sh")
            .args(["-c", MOVED, "sh"])
            .arg(executable)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Chromium starts");
        let commands = process.stdin.take().expect("it is piped");
        let messages = messages(process.stdout.take().expect("it is piped"));
        let mut browser =
            Self { process, commands, messages, session: None, sent: 0, events: Vec::new(), _profile: profile };
        let tab = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attached = browser.call("Target.attachToTarget", json!({"targetId": tab["targetId"], "flatten": true}));
        browser.session = Some(attached["sessionId"].as_str().expect("a session has an id").to_owned());
        Some(browser)
    }

    /// What a command to the tab answers.
    ///
    /// # Panics
    /// If the command fails, or Chromium does not answer.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let mut command = json!({"id": self.sent, "method": method, "params": params});
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        self.commands.write_all(format!("{command}\0").as_bytes()).expect("Chromium listens");
        let until = Instant::now() + PATIENCE;
        loop {
            let mut message = self.message(until, &command.to_string());
            if message["id"] == self.sent {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            self.events.push(message);
        }
    }

    /// Waits for an event of this name; those before it stay to be taken.
    pub fn wait_for(&mut self, event: &str) {
        let until = Instant::now() + PATIENCE;
        while self.events.iter().all(|happened| happened["method"] != event) {
            let message = self.message(until, event);
            self.events.push(message);
        }
    }

    /// What has happened since this was asked last.
    pub fn take_events(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.events)
    }

    fn message(&self, until: Instant, waited_for: &str) -> Value {
        let left = until.saturating_duration_since(Instant::now());
        self.messages.recv_timeout(left).unwrap_or_else(|error| panic!("{waited_for}: {error}"))
    }
}

/// Chromium's messages, each ended by a zero byte, as they come.
fn messages(answers: ChildStdout) -> Receiver<Value> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for message in BufReader::new(answers).split(0).map_while(Result::ok) {
            let message = serde_json::from_slice(&message).expect("Chromium answers in JSON");
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    receiver
}

impl Drop for Chromium {
    /// Ends the browser, and waits until it no longer writes to its profile.
    fn drop(&mut self) {
        let _ = self.commands.write_all(b"{\"id\": 0, \"method\": \"Browser.close\"}\0");
        let until = Instant::now() + Duration::from_secs(5);
        while self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            if Instant::now() > until {
                let _ = self.process.kill();
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
