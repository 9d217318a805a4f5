import type { ServiceView } from '@ha/zookeeper'

/** How many messages wait for whom, by user, as a router says. */
export async function mailboxesOf(routers: ServiceView): Promise<Readonly<Record<string, number>>> {
  const router = routers.pick()
  if (router === undefined) throw new Error('there is no router to ask for the mailboxes')
  const response = await fetch(`http://${router.address}:${router.port}/mailboxes`)
  return (await response.json()) as Record<string, number>
}
