package node

import (
	"fmt"
	"net/netip"

	"github.com/agora-host/agora/host/capability/llm"
	"github.com/agora-host/agora/registry"
)

// networks reads the networks that a flag names.
func networks(flag string, texts []string) ([]netip.Prefix, error) {
	all := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil || p != p.Masked() {
			return nil, fmt.Errorf("network %q for %s: write an address that ends in zeros and a length, such as 10.20.0.0/16, or 10.20.0.1/32 for one machine", text, flag)
		}
		all = append(all, p)
	}
	return all, nil
}

// openModels reads Options.LLM.
func (o Options) openModels() (*llm.Config, error) {
	if o.LLM == "" {
		return nil, nil
	}
	return llm.Load(o.LLM, registry.Classifications())
}
