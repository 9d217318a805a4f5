import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Mailbox } from './mailbox.ts'
import type { PostOffice } from './post-office.ts'

/**
 * Takes messages over HTTP: `PUT /users/alice/messages/17`, with the text as the body. The caller chooses the id, so
 * that it can ask again when an answer is lost. `GET /mailboxes` says how many messages wait for whom.
 */
export function frontDesk(office: PostOffice, mailbox: Mailbox): Server {
  return createServer((request, response) => {
    answer(request, office, mailbox).then(
      ([status, body]) => reply(response, status, body),
      (error: Error) => reply(response, 503, { error: error.message }),
    )
  })
}

type Answer = readonly [status: number, body: unknown]

// In bytes: a message, not a file.
const maxBytes = 256 * 1024

async function answer(request: IncomingMessage, office: PostOffice, mailbox: Mailbox): Promise<Answer> {
  const path = pathOf(request)
  if (path === undefined) return [400, { error: `'${request.url}' is no path: a % stands for itself as %25` }]
  const [, root, user, kind, id] = path
  if (request.method === 'GET' && root === 'mailboxes') return [200, await waitingIn(mailbox)]
  if (request.method === 'PUT' && root === 'users' && user && kind === 'messages' && id) {
    const text = await bodyOf(request)
    if (text === undefined) return [413, { error: `a message has ${maxBytes} bytes at most` }]
    const fate = await office.send(user, { id, text })
    return [fate === 'delivered' ? 200 : 202, { fate }]
  }
  return [404, { error: 'there are PUT /users/<user>/messages/<id> and GET /mailboxes' }]
}

function pathOf({ url = '' }: IncomingMessage): readonly string[] | undefined {
  try {
    return url.split('/').map(decodeURIComponent)
  } catch {
    return undefined
  }
}

// Undefined when it is too large.
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

async function waitingIn(mailbox: Mailbox): Promise<Record<string, number>> {
  const users = await mailbox.users()
  const counts = users.map(async (user) => [user, (await mailbox.list(user)).length] as const)
  return Object.fromEntries(await Promise.all(counts))
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
