#!/bin/sh
# A peer for `cargo xtask bench --peer again=tests/bench/peers/none.sh` that adds no data plane: its column is
# a second direct one, and what it differs by is the noise of the machine. It is also the contract to copy:
#
#   SCRIPT up     bring the data plane up between the two pods, leave its processes in the background, and
#                 return 0 when it is ready. A background process must not keep stdout open.
#   SCRIPT down   stop everything; also called when `up` has failed. Namespaces and pods go by themselves.
#
# Told by the environment, the same for both calls (CLIENT and SERVER are the two sides):
#   WEIR_PEER_CLIENT_NODE_NETNS  name of the node's network namespace, as in `ip netns exec NAME`
#   WEIR_PEER_CLIENT_POD_NETNS   name of the pod's
#   WEIR_PEER_CLIENT_POD_CGROUP  cgroup2 folder of the pod's programs
#   WEIR_PEER_CLIENT_POD_IP4     addresses of the pod
#   WEIR_PEER_CLIENT_POD_IP6
#   WEIR_PEER_CLIENT_CPU         processor for this side's programs, and so for its proxy
#   WEIR_PEER_SERVER_...         the same of the other side
#   WEIR_PEER_DIR                an empty folder for configuration and logs
#   WEIR_PEER_ANSWER             a file to write into, one fact a line, all optional:
#                                  client-pid PID   process whose CPU and memory count for the client's side
#                                  server-pid PID   the same for the server's side
#                                  address IP       what clients dial instead of the server pod's address
set -eu

case "$1" in
up)
    # A real peer would start its proxies here, for example:
    #   ip netns exec "$WEIR_PEER_CLIENT_POD_NETNS" taskset -c "$WEIR_PEER_CLIENT_CPU" \
    #       some-proxy --config "$WEIR_PEER_DIR/client.conf" >"$WEIR_PEER_DIR/client.log" 2>&1 &
    #   echo "client-pid $!" >>"$WEIR_PEER_ANSWER"
    echo "none.sh: nothing between ${WEIR_PEER_CLIENT_POD_NETNS:?} and ${WEIR_PEER_SERVER_POD_NETNS:?}"
    ;;
down) ;;
*)
    echo "usage: $0 up|down" >&2
    exit 64
    ;;
esac
