/** What became of a question to the backend, in the three ways that a person can do something about. */
export type Answer = { state: 'none' } | { state: 'unreachable'; why: string } | { state: 'answered'; text: string }

/** What the server says about the place where it runs: where the backend answers, or null where none is set. */
async function config(signal: AbortSignal): Promise<{ backend: string | null }> {
  const answer = await fetch('/config.json', { signal })
  if (!answer.ok) throw new Error(`/config.json: status ${answer.status}`)
  return (await answer.json()) as { backend: string | null }
}

/** GET a path of the backend. */
export async function ask(path: string, signal: AbortSignal): Promise<Answer> {
  const patient = AbortSignal.any([signal, AbortSignal.timeout(15_000)])
  try {
    const { backend } = await config(patient)
    if (backend === null) return { state: 'none' }
    const answer = await fetch(backend + path, { signal: patient })
    if (!answer.ok) return { state: 'unreachable', why: `status ${answer.status}` }
    return { state: 'answered', text: await answer.text() }
  } catch (error) {
    return { state: 'unreachable', why: error instanceof Error ? error.message : String(error) }
  }
}
