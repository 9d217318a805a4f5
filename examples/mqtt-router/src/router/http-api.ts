import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Mailbox } from './mailbox.ts'
import type { MessageDelivery } from './message-delivery.ts'

/**
 * The HTTP API. `PUT /users/alice/messages/17` accepts a message with the text as its body; the caller chooses the id,
 * so that it can repeat the request when a response is lost. `GET /mailboxes` returns the number of waiting messages of
 * each user.
 */
export function createHttpApi(delivery: MessageDelivery, mailbox: Mailbox): Server {
  return createServer((request, response) => {
    handle(request, delivery, mailbox).then(
      ([status, body]) => sendJson(response, status, body),
      (error: Error) => sendJson(response, 503, { error: error.message }),
    )
  })
}

type HttpResponse = readonly [status: number, body: unknown]

// In bytes.
const maxBytes = 256 * 1024

async function handle(
  request: IncomingMessage,
  delivery: MessageDelivery,
  mailbox: Mailbox,
): Promise<HttpResponse> {
  const path = parsePath(request)
  if (path === undefined) return [400, { error: `'${request.url}' is not a valid path: write % as %25` }]
  const [, root, user, kind, id] = path
  if (request.method === 'GET' && root === 'mailboxes') return [200, await waitingCounts(mailbox)]
  if (request.method === 'PUT' && root === 'users' && user && kind === 'messages' && id) {
    const text = await readBody(request)
    if (text === undefined) return [413, { error: `a message may have at most ${maxBytes} bytes` }]
    const outcome = await delivery.send(user, { id, text })
    return [outcome === 'delivered' ? 200 : 202, { outcome }]
  }
  return [404, { error: 'expected PUT /users/<user>/messages/<id> or GET /mailboxes' }]
}

function parsePath({ url = '' }: IncomingMessage): readonly string[] | undefined {
  try {
    return url.split('/').map(decodeURIComponent)
  } catch {
    return undefined
  }
}

// Undefined when the body is too large.
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

async function waitingCounts(mailbox: Mailbox): Promise<Record<string, number>> {
  const users = await mailbox.users()
  const counts = users.map(async (user) => [user, (await mailbox.list(user)).length] as const)
  return Object.fromEntries(await Promise.all(counts))
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
