//! How streams share tunnels.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::app::{echo, talking};
use crate::world::World;

/// Counts the tunnels that are open to the server, by their sockets.
fn tunnels(world: &World) -> usize {
    let std::net::IpAddr::V4(ip) = world.server else { unreachable!() };
    let remote = format!("{:08X}:{:04X}", u32::from_le_bytes(ip.octets()), 15008);
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let established = rows.filter(|row| row.len() > 3 && row[2] == remote && row[3] == "01");
    // The kernel may show a row twice when the table changes meanwhile.
    established.map(|row| row[1].to_owned()).collect::<std::collections::HashSet<_>>().len()
}

#[tokio::test]
async fn small_streams_share_one_tunnel_and_bulk_gets_others() {
    let world = World::new(|c| c.spread = 2, |_, _| {}).await;
    let (app, vip) = world.service();
    echo(app);
    let mut sockets = Vec::new();
    for _ in 0..20 {
        let socket = talking(vip).await;
        sockets.push(socket);
    }
    assert_eq!(tunnels(&world), 1);
    let (mut reader, mut writer) = sockets[0].split();
    let data = vec![1; 2 << 20];
    let mut got = vec![0; 2 << 20];
    let (write, read) = tokio::join!(writer.write_all(&data), reader.read_exact(&mut got));
    write.unwrap();
    read.unwrap();
    for _ in 0..5 {
        let socket = talking(vip).await;
        sockets.push(socket);
    }
    assert_eq!(tunnels(&world), 2, "new streams keep out of the way of the bulk");
}

#[tokio::test]
async fn a_full_tunnel_is_not_the_end() {
    let world = World::new(|c| c.max_streams = 10, |_, _| {}).await;
    let (app, vip) = world.service();
    echo(app);
    let mut sockets = Vec::new();
    for _ in 0..35 {
        let socket = talking(vip).await;
        sockets.push(socket);
    }
    assert_eq!(tunnels(&world), 4);
}

#[tokio::test]
async fn an_unused_tunnel_closes() {
    let world = World::new(|c| c.idle_timeout = std::time::Duration::from_millis(100), |_, _| {}).await;
    let (app, vip) = world.service();
    echo(app);
    let socket = talking(vip).await;
    assert_eq!(tunnels(&world), 1);
    drop(socket);
    for _ in 0..200 {
        if tunnels(&world) == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the tunnel is still open");
}
