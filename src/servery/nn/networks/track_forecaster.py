"""The recurrent forecaster of tracks: a past is read, a future written, neighbours are looked at on the way."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from servery.nn.agent_frames import Frames, frames_of, turned_back, turned_to
from servery.nn.network import Network
from servery.nn.pooling import FAR_BELOW


class TrackForecaster(Network):
    """An LSTM reads each agent's moves in its own frame, another one writes how it departs from going straight on.

    Sources: Sutskever, Vinyals, Le (2014), Sequence to sequence learning, section 2 (encoder and decoder); Schoeller
    et al. (2020), What the constant velocity model can teach us, section III (moves instead of positions); Vemula,
    Muelling, Oh (2018), Social attention, section III (neighbours weighed by attention); Cui et al. (2019), Multimodal
    trajectory predictions, section III.B (several modes with their chances).

    Args:
        steps: Steps seen.
        horizon: Steps to tell.
        hidden_size: Length of a state.
        has_neighbours: Whether an agent looks at the others.
        heads: Ways to look.
        modes: Futures beside the best guess.
        scale: Usual length of a step, metres.
        fastest: Longest step of the training tracks, metres.
        dropout: Share of a state's numbers left out in training.
    """

    name = "track_forecaster"
    axes = {"positions": ("rows", "agents"), "seen": ("rows", "agents")}

    def __init__(
        self,
        steps: int,
        horizon: int,
        hidden_size: int,
        has_neighbours: bool,
        heads: int,
        modes: int,
        scale: float,
        fastest: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.horizon, self.modes, self.scale, self.fastest = horizon, modes, scale, fastest
        self.reader = nn.LSTM(5, hidden_size, batch_first=True)
        self.social = _Neighbours(hidden_size, heads, scale) if has_neighbours else None
        size = 2 * hidden_size if has_neighbours else hidden_size
        self.dropout = nn.Dropout(dropout)
        self.writer = nn.LSTM(size + 3, hidden_size, batch_first=True)
        self.move = nn.Linear(hidden_size, 2)
        self.ways = _Ways(size + 2, hidden_size, modes, horizon) if modes else None

    def forward(self, positions: Tensor, seen: Tensor) -> Tensor:  # type: ignore[override]
        """Return what the task calls outputs, float32, (rows, agents, 1 + modes, 1 + 2 * horizon).

        Args:
            positions: Metres, 0 where unseen, (rows, agents, steps, 2).
            seen: 1 or 0, (rows, agents, steps).
        """
        frames = frames_of(positions, seen)
        state = self._read(frames)
        if self.social is not None:
            state = torch.cat([state, self.social(state, positions[:, :, -1], frames)], dim=2)
        velocity = frames.velocity / self.scale
        best = self._written(torch.cat([self.dropout(state), velocity], dim=2))
        straight = self._straight(frames)
        tracks, logits = (best + straight).unsqueeze(2), self._haste(frames).unsqueeze(2)
        if self.ways is not None:
            ways, chances = self.ways(torch.cat([self.dropout(state), velocity], dim=2))
            tracks = torch.cat([tracks, ways * self.scale + straight.unsqueeze(2)], dim=2)
            logits = torch.cat([logits, chances], dim=2)
        tracks = turned_back(tracks, frames.heading[:, :, None, None]) * frames.here[:, :, None, None, None]
        return torch.cat([logits.unsqueeze(3), tracks.flatten(3)], dim=3)

    def _read(self, frames: Frames) -> Tensor:
        """Return each agent's state after its past, (rows, agents, hidden_size)."""
        parts = [frames.moves / self.scale, frames.places[:, :, :-1] / self.scale, frames.known.unsqueeze(3)]
        moves = torch.cat(parts, dim=3)  # (rows, agents, steps - 1, 5)
        states, _ = self.reader(moves.flatten(0, 1))
        last: Tensor = states[:, -1].unflatten(0, (moves.shape[0], moves.shape[1]))
        return last

    def _written(self, context: Tensor) -> Tensor:
        """Return how the best guess departs from going straight on, metres, (rows, agents, horizon, 2)."""
        flat = context.flatten(0, 1).unsqueeze(1).expand(-1, self.horizon, -1)
        clock = torch.linspace(0, 1, self.horizon, device=context.device).reshape(1, -1, 1)
        states, _ = self.writer(torch.cat([flat, clock.expand(flat.shape[0], -1, 1)], dim=2))
        moves: Tensor = self.move(states) * self.scale
        return moves.cumsum(dim=1).reshape(context.shape[0], context.shape[1], self.horizon, 2)

    def _straight(self, frames: Frames) -> Tensor:
        """Return where agents are that go on as they went, (rows, agents, horizon, 2)."""
        ahead = torch.arange(1, self.horizon + 1, device=frames.velocity.device).reshape(1, 1, -1, 1)
        return frames.velocity.unsqueeze(2) * ahead

    def _haste(self, frames: Frames) -> Tensor:
        """Return each agent's longest step in units of the longest learned from, (rows, agents)."""
        return frames.moves.pow(2).sum(dim=3).amax(dim=2).sqrt() / self.fastest


class _Neighbours(nn.Module):
    """Attention of each agent over the others, by where they are and how they move as it sees them.

    Args:
        hidden_size: Length of a state.
        heads: Ways to look.
        scale: Usual length of a step, metres.
    """

    def __init__(self, hidden_size: int, heads: int, scale: float) -> None:
        super().__init__()
        self.heads, self.scale = heads, scale
        self.relation = nn.Sequential(
            nn.Linear(7, hidden_size), nn.ReLU(), nn.Linear(hidden_size, hidden_size)
        )
        self.other = nn.Linear(hidden_size, hidden_size)
        self.own = nn.Linear(hidden_size, hidden_size)
        self.weigh = nn.Linear(hidden_size, heads)
        self.value = nn.Linear(hidden_size, hidden_size)

    def forward(self, state: Tensor, now: Tensor, frames: Frames) -> Tensor:
        """Return what each agent makes of the others, (rows, agents, hidden_size).

        Args:
            state: After the own past, (rows, agents, hidden_size).
            now: Positions in the world, (rows, agents, 2).
            frames: Of the agents.
        """
        heading = frames.heading.unsqueeze(2)  # (rows, agents, 1, 2)
        apart = turned_to(now.unsqueeze(1) - now.unsqueeze(2), heading)  # (rows, agents, others, 2)
        world = turned_back(frames.velocity, frames.heading)
        moving = turned_to(world.unsqueeze(1) - world.unsqueeze(2), heading) / self.scale
        distance = apart.pow(2).sum(dim=3, keepdim=True).clamp(min=1e-6).sqrt()
        near = 1 / (1 + distance)
        seen = [apart / distance * near, apart / 10, distance / 10, moving]
        pair = self.relation(torch.cat(seen, dim=3))  # (rows, agents, others, hidden_size)
        pair = torch.relu(pair + self.other(state).unsqueeze(1) + self.own(state).unsqueeze(2))
        count = state.shape[1]
        places = torch.arange(count, device=state.device)
        is_other = (places.unsqueeze(0) != places.unsqueeze(1)) & (frames.here.unsqueeze(1) > 0)
        liked = self.weigh(pair).masked_fill(~is_other.unsqueeze(3), FAR_BELOW)
        # One more place, always there: nobody.
        liked = torch.cat([liked, torch.zeros_like(liked[:, :, :1])], dim=2).softmax(dim=2)[:, :, :-1]
        values = self.value(pair).unflatten(3, (self.heads, -1))  # (rows, agents, others, heads, size)
        looked: Tensor = (values * liked.unsqueeze(4)).sum(dim=2).flatten(2)
        return looked


class _Ways(nn.Module):
    """Several futures at once with their logits.

    Args:
        size: Length of what is known of an agent.
        hidden_size: Length of the hidden layer, a quarter.
        modes: Number of futures.
        horizon: Steps of each.
    """

    def __init__(self, size: int, hidden_size: int, modes: int, horizon: int) -> None:
        super().__init__()
        self.modes, self.horizon = modes, horizon
        self.hidden = nn.Sequential(nn.Linear(size, 4 * hidden_size), nn.ReLU())
        self.tracks = nn.Linear(4 * hidden_size, modes * horizon * 2)
        self.logits = nn.Linear(4 * hidden_size, modes)

    def forward(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return departures from going straight on, (rows, agents, modes, horizon, 2), and logits."""
        hidden = self.hidden(context)
        moves = self.tracks(hidden).unflatten(2, (self.modes, self.horizon, 2))
        return moves.cumsum(dim=3), self.logits(hidden)
