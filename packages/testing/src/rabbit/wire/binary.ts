/** Bytes as Erlang prints them, as in RabbitMQ's reply texts. */
export function binary(bytes: Buffer): string {
  // An AMQP reply text has 255 octets at most.
  const shown = bytes.subarray(0, 32)
  const isText = shown.length > 0 && shown.every((octet) => octet >= 0x20 && octet < 0x7f)
  return isText ? `<<"${shown.toString('latin1')}">>` : `<<${[...shown].join(',')}>>`
}
