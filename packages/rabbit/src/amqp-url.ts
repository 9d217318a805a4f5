import { HaError } from '@ha/core'
import { didYouMean } from '@ha/core/driver'
import { rabbitError } from './errors.ts'
import type { RabbitOptions } from './options.ts'

const parameters: readonly string[] = ['heartbeat', 'name']

/**
 * Reads `amqp://user:password@n1:5672,n2:5672/vhost?heartbeat=8`: the usual URL with several hosts. User and password
 * are percent-decoded; a missing vhost is `/`, and `/%2f` is as well. Never puts the password into an error.
 */
export function readAmqpUrl(url: string): RabbitOptions {
  const match = /^(amqps?):\/\/(?:([^@/?#]*)@)?([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(url)
  if (match === null) {
    throw new HaError('config-invalid', 'url: expected amqp://user:password@host:port,host:port/vhost')
  }
  const [, scheme, userinfo, hosts = '', vhost, query] = match
  // With an '@', '/' or '?' that is not encoded, a part of the password is where a host is expected: quote nothing here.
  if ([hosts, vhost, query].some((part) => part?.includes('@'))) {
    throw new HaError(
      'config-invalid',
      "url: write '@' in user or password as %40, '/' as %2F and '?' as %3F",
    )
  }
  return {
    addresses: hosts,
    ...(scheme === 'amqps' && { tls: true }),
    ...readUserinfo(userinfo),
    ...(vhost !== undefined && vhost !== '' && { vhost: decode(vhost, 'vhost') }),
    ...readQuery(query),
  }
}

function readUserinfo(userinfo: string | undefined): Pick<RabbitOptions, 'username' | 'password'> {
  if (userinfo === undefined) return {}
  const [username = '', ...rest] = userinfo.split(':')
  return {
    username: decode(username, 'user'),
    ...(rest.length > 0 && { password: decode(rest.join(':'), 'password') }),
  }
}

function readQuery(query: string | undefined): Partial<RabbitOptions> {
  const given = new URLSearchParams(query)
  for (const key of given.keys()) {
    if (!parameters.includes(key)) {
      const hint = didYouMean(key, parameters)
      // A name that resembles no parameter may be a part of a password with a '?' in it: do not quote it.
      const where = hint === '' ? 'url' : `url?${key}`
      const problem = `there is no such parameter, only ${parameters.join(' and ')}${hint}`
      throw new HaError('config-invalid', `${where}: ${problem}`)
    }
  }
  const heartbeat = given.get('heartbeat')
  const name = given.get('name')
  return {
    ...(heartbeat !== null && { liveness: { heartbeatMs: Number(heartbeat) * 1_000 } }),
    ...(name !== null && { name }),
  }
}

function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw rabbitError('config-invalid', `url: the ${part} is not percent-encoded correctly`, { cause })
  }
}
