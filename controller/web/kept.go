package web

import "sync"

// maxKept is how many pages of ended runs are kept.
const maxKept = 32

// kept are pages of runs that have ended, which change no more: those that were
// asked for last.
type kept struct {
	mu    sync.Mutex
	pages map[string]*endedPage
	order []string // by when they were asked for
}

// of is the page of a run, made if it is not there. What is there of a run that was
// deleted meanwhile is not asked for: the run is read first.
func (k *kept) of(id string, make func() (*endedPage, error)) (*endedPage, error) {
	k.mu.Lock()
	page := k.pages[id]
	k.mu.Unlock()
	if page == nil {
		var err error
		if page, err = make(); err != nil || !page.Run.Status.Terminal() || !page.Result {
			return page, err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.put(id, page)
	return page, nil
}

func (k *kept) put(id string, page *endedPage) {
	if k.pages == nil {
		k.pages = map[string]*endedPage{}
	}
	for i, other := range k.order {
		if other == id {
			k.order = append(k.order[:i:i], k.order[i+1:]...)
			break
		}
	}
	k.pages[id], k.order = page, append(k.order, id)
	if len(k.order) > maxKept {
		delete(k.pages, k.order[0])
		k.order = k.order[1:]
	}
}
