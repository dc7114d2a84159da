package inventory

// bindSources looks at what containers bind from the host, so that a recreate of a container whose
// source has gone can be refused: the engine would make an empty directory in its place.
func (c *collector) bindSources() {
	if !c.host.Engine.Local {
		return
	}
	for _, o := range c.found {
		for _, m := range o.container.Inspect.Mounts {
			if m.Type != "bind" || m.Source == "" {
				continue
			}
			if _, seen := c.host.Files[m.Source]; seen {
				continue
			}
			file, err := c.root.statFile(m.Source)
			if err != nil {
				c.problem("container/"+o.container.Name, err.Error(), false)
				continue
			}
			c.host.Files[m.Source] = file
		}
	}
}
