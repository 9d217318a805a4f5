/** The session timeout of everybody whose server is frozen. */
export const sessionTimeoutMs = 4_000

/** How long a server is frozen: two sessions. */
export const freezeMs: number = 2 * sessionTimeoutMs
