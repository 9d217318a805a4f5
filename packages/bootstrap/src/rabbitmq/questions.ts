// Erlang expressions that `erl_call -e` evaluates in a node; the white space after the dot ends them. The functions
// exist from 3.10 to 4.3.

/** Asks a member for its view of the cluster. */
export const viewExpression: string = [
  'case rabbit:is_running() of',
  ' true -> {view, lists:sort(rabbit_nodes:all()), lists:sort(rabbit_nodes:all_running()),',
  '  lists:sort(rabbit_node_monitor:partitions())};',
  ' false -> starting',
  ' end.\n',
].join('')

/** Restarts the broker inside a node that keeps running, as `stop_app` and `start_app` do. */
export const restartExpression = '{rabbit:stop(), rabbit:start()}.\n'

/**
 * Asks a member who leads a queue: the leader that the local replica of a quorum queue last heard of, else the node
 * of the process that the queue is registered with.
 */
export function leaderExpression(vhost: string, queue: string): string {
  return [
    `case rabbit_amqqueue:lookup(rabbit_misc:r(${binaryLiteral(vhost)}, queue, ${binaryLiteral(queue)})) of`,
    ' {ok, Q} -> case amqqueue:get_pid(Q) of',
    '  {Name, Recorded} -> case ra_leaderboard:lookup_leader(Name) of {_, Heard} -> Heard; _ -> Recorded end;',
    '  Pid when is_pid(Pid) -> node(Pid);',
    '  _ -> none end;',
    ' _ -> none end.\n',
  ].join('')
}

// Bytes instead of quotes: no name can end the literal and go on as code.
function binaryLiteral(text: string): string {
  return `<<${[...Buffer.from(text, 'utf8')].join(',')}>>`
}
