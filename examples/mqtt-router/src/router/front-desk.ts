import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
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

async function answer(request: IncomingMessage, office: PostOffice, mailbox: Mailbox): Promise<Answer> {
  const [, root, user, kind, id] = (request.url ?? '').split('/').map(decodeURIComponent)
  if (request.method === 'GET' && root === 'mailboxes') return [200, await waitingIn(mailbox)]
  if (request.method === 'PUT' && root === 'users' && user && kind === 'messages' && id) {
    const fate = await office.send(user, { id, text: await text(request) })
    return [fate === 'delivered' ? 200 : 202, { fate }]
  }
  return [404, { error: 'there are PUT /users/<user>/messages/<id> and GET /mailboxes' }]
}

async function waitingIn(mailbox: Mailbox): Promise<Record<string, number>> {
  const users = await mailbox.users()
  const counts = users.map(async (user) => [user, (await mailbox.list(user)).length] as const)
  return Object.fromEntries(await Promise.all(counts))
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
