import { cleanup, render, screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, expect, test, vi } from 'vitest'
import about from './about.json'
import { App } from './App'

afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})

/** Lets the server answer each path as given; a path that is not given cannot be reached. */
function server(answers: Record<string, () => Response>) {
  const fetch = vi.fn((path: string) => {
    const answer = answers[path]
    return answer ? Promise.resolve(answer()) : Promise.reject(new TypeError('Failed to fetch'))
  })
  vi.stubGlobal('fetch', fetch)
  return fetch
}

const set = { '/config.json': () => Response.json({ backend: '/api' }) }
const unset = { '/config.json': () => Response.json({ backend: null }) }

test('shows the texts, and nothing in them is markup', async () => {
  server(unset)
  render(<App />)
  expect(screen.getByRole('heading', { level: 1 }).textContent).toBe(about.name)
  expect(screen.getByRole('main').textContent).toContain(about.description)
  expect(screen.getByRole('contentinfo').textContent).toBe(about.author)
  expect(document.querySelector('title')?.textContent).toBe(about.name)
  await screen.findByText(/No backend is set/)
})

test('says that no backend is set, and asks none', async () => {
  const fetch = server(unset)
  render(<App />)
  expect(await screen.findByText(/No backend is set/)).toBeTruthy()
  expect(fetch.mock.calls.map(([path]) => path)).toEqual(['/config.json'])
})

test('shows what the backend answers', async () => {
  server({ ...set, '/api/healthz': () => Response.json({ status: 'ok' }) })
  render(<App />)
  expect(await screen.findByText('{"status":"ok"}')).toBeTruthy()
})

test('says that the backend does not answer, and asks again', async () => {
  const answers: Record<string, () => Response> = { ...set, '/api/healthz': () => new Response('', { status: 502 }) }
  server(answers)
  render(<App />)
  expect(await screen.findByText('The backend does not answer (status 502).')).toBeTruthy()
  delete answers['/api/healthz']
  await userEvent.click(screen.getByRole('button', { name: 'Ask again' }))
  expect(await screen.findByText('The backend does not answer (Failed to fetch).')).toBeTruthy()
  answers['/api/healthz'] = () => new Response('well')
  await userEvent.click(screen.getByRole('button', { name: 'Ask again' }))
  expect(await screen.findByText('well')).toBeTruthy()
})
