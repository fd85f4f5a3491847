//! One connection, and all that both ends know about it.

use serde_json::{Map, Value, json};

use crate::dial::{self, Dial, Refused};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    dial: Dial,
    /// The line to say.
    #[arg(long, default_value = "hello")]
    say: String,
    /// Read the server's line first.
    #[arg(long)]
    banner: bool,
    /// Connect only, exchange nothing.
    #[arg(long)]
    silent: bool,
    /// After the exchange, wait for the server's end and report it.
    #[arg(long)]
    await_end: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let start = std::time::Instant::now();
    let answer = attempt(args).unwrap_or_else(|Refused { stage, error }| {
        json!({ "ok": false, "stage": stage, "error": dial::name(&error),
                "after_ms": u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX) })
    });
    println!("{answer}");
    Ok(())
}

fn attempt(args: &Args) -> Result<Value, Refused> {
    let line = format!("{}\n", args.say);
    let mut dialled = args.dial.connect(args.dial.target(0), line.as_bytes())?;
    let stream = &mut dialled.stream;
    let mut answer = Map::new();
    let at_read = |error| Refused { stage: "read", error };
    if args.banner {
        answer.insert("banner".into(), dial::line_of(stream).map_err(at_read)?.into());
    }
    if !args.silent {
        let reply = dial::exchange(stream, line.as_bytes(), args.dial.sends_first())?;
        let reply: Value = serde_json::from_str(&reply).unwrap_or(Value::String(reply));
        for key in ["seen", "server", "echo"] {
            answer.insert(key.into(), reply[key].clone());
        }
    }
    // After the exchange: with fast open there is no peer before.
    let at_connect = |error| Refused { stage: "connect", error };
    answer.insert("local".into(), dial::plain(stream.local_addr().map_err(at_connect)?).to_string().into());
    answer.insert("peer".into(), dial::plain(stream.peer_addr().map_err(at_connect)?).to_string().into());
    let mark = socket2::SockRef::from(&*stream).mark().unwrap_or(0);
    answer.insert("mark".into(), mark.into());
    answer.insert("connect_us".into(), u64::try_from(dialled.took.as_micros()).unwrap_or(u64::MAX).into());
    answer.insert("ok".into(), true.into());
    if args.await_end {
        let end = match dial::line_of(stream) {
            Ok(_) => "DATA".to_owned(),
            Err(error) => dial::name(&error),
        };
        answer.insert("end".into(), end.into());
    }
    Ok(Value::Object(answer))
}
