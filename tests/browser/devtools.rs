//! A browser that a test drives: Debian's chromium, by its own protocol, over a pipe.
//!
//! Knows Chrome's `DevTools` protocol; does not know the page. Keeps: no browser outlives its test; nothing waits a
//! fixed time: the page itself says when what is waited for holds.

use std::{
    collections::VecDeque,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// How long the page may take until what is waited for holds, in milliseconds.
const PATIENCE_MS: u32 = 60_000;
/// Where Debian and others put it.
const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Connects the shell's own pipes with those by which the browser is driven, its third and fourth file.
const WITH_PIPE: &str = "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null";

/// A browser, with one page in it.
pub struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: BufReader<ChildStdout>,
    events: VecDeque<Value>,
    last_id: u64,
    session: String,
    // Its profile, removed behind it.
    _profile: tempfile::TempDir,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The window's width.
    pub width: u32,
    /// Dark colours.
    pub dark: bool,
    /// The browser's language.
    pub language: &'static str,
}

/// Returns the browser of this machine; says so in one line where there is none.
///
/// # Panics
/// If there is none, and `PARKWATT_BROWSER` asks for one.
pub fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = std::env::split_paths(&path).flat_map(|dir| PROGRAMS.map(|name| dir.join(name)));
    let found = candidates.into_iter().find(|file| file.is_file());
    if found.is_none() {
        assert!(
            std::env::var_os("PARKWATT_BROWSER").is_none(),
            "PARKWATT_BROWSER is set, and there is no chromium"
        );
        println!("there is no chromium on this machine: the page is not opened");
    }
    found
}

impl Browser {
    /// Starts a browser, and looks at it so.
    pub fn start(program: &Path, look: Look) -> Browser {
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", WITH_PIPE])
            .arg(program)
            .args(["--headless", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu"])
            // OK because: only the page of the node under test is opened, and as root there is no sandbox.
            .args([
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--force-color-profile=srgb",
            ])
            .arg(format!("--lang={}", look.language))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (commands, messages) =
            (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let session = String::new();
        let (events, last_id) = (VecDeque::new(), 0);
        let mut browser = Browser { child, commands, messages, events, last_id, session, _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attached = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attached);
        attached["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.look(look);
        browser
    }

    /// Looks at the page so from now on.
    pub fn look(&mut self, look: Look) {
        let height = if look.width < 600 { 812 } else { 900 };
        let size = json!({ "width": look.width, "height": height, "deviceScaleFactor": 1, "mobile": look.width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = if look.dark { "dark" } else { "light" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
        self.call("Emulation.setLocaleOverride", json!({ "locale": look.language }));
        let agent = self.value("navigator.userAgent");
        let speaks = json!({ "userAgent": agent, "acceptLanguage": look.language });
        self.call("Emulation.setUserAgentOverride", speaks);
    }

    /// Opens a page, and waits until it has loaded.
    #[track_caller]
    pub fn open(&mut self, url: &str) {
        // Away from what is there: another fragment of the same page would not load it anew.
        self.call("Page.navigate", json!({ "url": "about:blank" }));
        let opened = self.call("Page.navigate", json!({ "url": url }));
        assert_eq!(opened["errorText"], Value::Null, "{url}");
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// Returns what an expression comes to, once its promise is kept.
    #[track_caller]
    pub fn value(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let said = self.call("Runtime.evaluate", asked);
        assert_eq!(said.get("exceptionDetails"), None, "{expression}");
        said["result"]["value"].clone()
    }

    /// Returns the text that an expression comes to.
    #[track_caller]
    pub fn text(&mut self, expression: &str) -> String {
        let value = self.value(expression);
        value.as_str().unwrap_or_else(|| panic!("{expression} is {value}")).to_owned()
    }

    /// Waits until an expression holds.
    #[track_caller]
    pub fn until(&mut self, expression: &str) {
        let waiting = format!(
            "new Promise((done) => {{ const end = Date.now() + {PATIENCE_MS}; const look = () => {{
               let holds = false; try {{ holds = {expression}; }} catch {{ }}
               if (holds) done(true); else if (Date.now() > end) done(document.body.innerText.slice(-1500));
               else setTimeout(look, 10); }}; look(); }})"
        );
        // A page that is just being left answers nothing.
        let mut tries = 0;
        let held = loop {
            let asked = json!({ "expression": waiting, "awaitPromise": true, "returnByValue": true });
            let said = self.try_call("Runtime.evaluate", &asked);
            match said {
                Ok(said) if said.get("exceptionDetails").is_none() => break said["result"]["value"].clone(),
                other if tries > 20 => panic!("{expression}: {other:?}"),
                _ => tries += 1,
            }
        };
        assert_eq!(held, Value::Bool(true), "{expression} does not come to hold");
    }

    /// Presses a key, as a keyboard does.
    pub fn press(&mut self, key: &str) {
        let text = match key {
            "Enter" => "\r",
            " " => " ",
            _ => "",
        };
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            " " => 32,
            "ArrowLeft" => 37,
            "ArrowRight" => 39,
            _ => 0,
        };
        for kind in [if text.is_empty() { "rawKeyDown" } else { "keyDown" }, "keyUp"] {
            let event =
                json!({ "type": kind, "key": key, "code": key, "text": text, "windowsVirtualKeyCode": code });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Keeps a picture of the page: of its first screen, or of all of it.
    pub fn keep_picture(&mut self, file: &Path, whole: bool) {
        let asked = json!({ "format": "png", "captureBeyondViewport": whole, "optimizeForSpeed": false });
        let taken = if whole {
            let size = self.call("Page.getLayoutMetrics", json!({}))["cssContentSize"].clone();
            let clip =
                json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
            self.call(
                "Page.captureScreenshot",
                json!({ "format": "png", "captureBeyondViewport": true, "clip": clip }),
            )
        } else {
            self.call("Page.captureScreenshot", asked)
        };
        let bytes = STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }

    /// Returns what has gone wrong in the page since this was last asked: exceptions, and what the browser refused.
    pub fn troubles(&mut self) -> Vec<String> {
        // What was said before this answer has been read with it.
        self.call("Runtime.evaluate", json!({ "expression": "0" }));
        let events = std::mem::take(&mut self.events);
        let trouble = |event: &Value| match event["method"].as_str()? {
            "Runtime.exceptionThrown" => Some(event["params"]["exceptionDetails"].to_string()),
            "Log.entryAdded" if event["params"]["entry"]["level"] == "error" => {
                Some(event["params"]["entry"].to_string())
            }
            _ => None,
        };
        events.iter().filter_map(trouble).collect()
    }

    #[track_caller]
    #[allow(clippy::needless_pass_by_value, reason = "each caller makes it for this call alone")]
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.try_call(method, &params).unwrap_or_else(|problem| panic!("{method}: {problem}"))
    }

    fn try_call(&mut self, method: &str, params: &Value) -> Result<Value, Value> {
        self.last_id += 1;
        let id = self.last_id;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() && !method.starts_with("Target.") {
            message["sessionId"] = self.session.clone().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.commands.write_all(&bytes).unwrap();
        loop {
            let mut bytes = Vec::new();
            self.messages.read_until(0, &mut bytes).unwrap();
            assert_eq!(bytes.pop(), Some(0), "the browser ended during {method}");
            let message: Value = serde_json::from_slice(&bytes).unwrap();
            if message["id"] == id {
                return match message.get("error") {
                    Some(problem) => Err(problem.clone()),
                    None => Ok(message["result"].clone()),
                };
            }
            self.events.push_back(message);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // OK because: a browser that has ended already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
