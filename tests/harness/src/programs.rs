//! Unmodified programs in a pod: servers with the least configuration that runs, and clients.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{Pod, Process};

/// What curl saw.
#[derive(Clone, Debug)]
pub struct Curl {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: String,
    /// Seconds until the connection stood.
    pub connect_seconds: f64,
}

impl Pod {
    /// nginx on port 80, both IP versions. Answers `pod <name> sees <client address>:<port>`, and
    /// writes an access log.
    pub fn nginx(&self) -> Result<Process> {
        let dir = self.place().dir.join(format!("{}-nginx", self.place().name));
        fs::create_dir_all(&dir)?;
        let conf = dir.join("nginx.conf");
        let (here, name) = (dir.display(), self.name());
        let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {here}/{kind};\n"))
            .collect();
        fs::write(
            &conf,
            format!(
                "user root; worker_processes 1; pid {here}/pid; error_log {here}/error.log;
                 events {{ worker_connections 4096; }}
                 http {{ {temp} access_log {here}/access.log; keepalive_requests 1000000;
                   server {{ listen 80; listen [::]:80;
                     location /files {{ alias {here}/files; }}
                     location / {{ default_type text/plain;
                       return 200 \"pod {name} sees $remote_addr:$remote_port\\n\"; }} }} }}\n"
            ),
        )?;
        let conf = conf.to_string_lossy().into_owned();
        let process = self.spawn("nginx", &["-c", &conf, "-g", "daemon off;"])?;
        self.wait_listening(80).with_context(|| process.log())?;
        Ok(process)
    }

    /// Access log of [`Pod::nginx`].
    #[must_use]
    pub fn nginx_log(&self) -> String {
        let dir = self.place().dir.join(format!("{}-nginx", self.place().name));
        fs::read_to_string(dir.join("access.log")).unwrap_or_default()
    }

    /// redis-server on port 6379, both IP versions, nothing on disk.
    pub fn redis(&self) -> Result<Process> {
        let dir = self.place().dir.to_string_lossy().into_owned();
        let args = ["--bind", "*", "-::*", "--protected-mode", "no", "--save", "", "--dir", &dir];
        let process = self.spawn("redis-server", &args)?;
        self.wait_listening(6379).with_context(|| process.log())?;
        Ok(process)
    }

    /// `redis-cli -h HOST ARGS`, and its answer.
    pub fn redis_cli(&self, host: &str, args: &[&str]) -> Result<String> {
        let all = [&["-h", host], args].concat();
        let done = self.place().output("redis-cli", &all, Duration::from_secs(20))?;
        Ok(done.success()?.trim().to_owned())
    }

    /// curl on a URL, one attempt, 10 s at most.
    pub fn curl(&self, url: &str) -> Result<Curl> {
        self.curl_with(&[], url)
    }

    /// As [`Pod::curl`], with more arguments.
    pub fn curl_with(&self, args: &[&str], url: &str) -> Result<Curl> {
        let mut all = vec!["-sS", "-g", "--max-time", "10", "-w", "\n%{http_code} %{time_connect}"];
        all.extend(args);
        all.push(url);
        let text = self.place().output("curl", &all, Duration::from_secs(20))?.success()?;
        let (body, last) = text.rsplit_once('\n').context("curl's -w line is missing")?;
        let (status, seconds) = last.split_once(' ').context("curl's -w line is short")?;
        Ok(Curl { status: status.parse()?, body: body.to_owned(), connect_seconds: seconds.parse()? })
    }

    /// Runs a Python program to its end, and gives its output.
    pub fn python(&self, program: &str, args: &[&str]) -> Result<String> {
        let all = [&["-c", program], args].concat();
        self.place().output(&python(), &all, Duration::from_secs(60))?.success()
    }

    /// Starts a Python program that keeps running.
    pub fn python_server(&self, program: &str, args: &[&str]) -> Result<Process> {
        self.spawn(&python(), &[&["-u", "-c", program], args].concat())
    }
}

/// The system's own Python where there is one: version managers put slow shell scripts in PATH.
fn python() -> String {
    let system = "/usr/bin/python3";
    if std::path::Path::new(system).exists() { system.into() } else { "python3".into() }
}
