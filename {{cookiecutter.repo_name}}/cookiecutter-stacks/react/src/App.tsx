import { useEffect, useState } from 'react'
import about from './about.json'
import { ask, type Answer } from './backend'

export function App() {
  return (
    <>
      <title>{about.name}</title>
      <meta name="description" content={about.description} />
      <main>
        <h1>{about.name}</h1>
        <p>{about.description}</p>
        <Backend />
      </main>
      <footer>{about.author}</footer>
    </>
  )
}

/** Whether the backend is well. */
function Backend() {
  const [answer, setAnswer] = useState<Answer>()
  const [asked, setAsked] = useState(1)

  useEffect(() => {
    const left = new AbortController()
    void ask('/healthz', left.signal).then((answer) => {
      if (!left.signal.aborted) setAnswer(answer)
    })
    return () => left.abort()
  }, [asked])

  function again() {
    setAnswer(undefined)
    setAsked(asked + 1)
  }

  return (
    <section aria-labelledby="backend" data-state={answer?.state ?? 'asking'}>
      <h2 id="backend">Backend</h2>
      <div role="status">
        {!answer && <p>Asking the backend …</p>}
        {answer?.state === 'none' && (
          <p>
            No backend is set. Name its address in the environment variable <code>BACKEND_URL</code>.
          </p>
        )}
        {answer?.state === 'unreachable' && <p>The backend does not answer ({answer.why}).</p>}
        {answer?.state === 'answered' && (
          <>
            <p>The backend answers:</p>
            <pre>{answer.text}</pre>
          </>
        )}
      </div>
      {answer && answer.state !== 'none' && (
        <button type="button" onClick={again}>
          Ask again
        </button>
      )}
    </section>
  )
}
