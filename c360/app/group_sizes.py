"""How large a group is, for people who may not see everybody in it: a small number would tell of single customers."""

from collections.abc import Mapping
from dataclasses import dataclass

from c360.access import Grant, Sees, least_group_size
from lakehouse.language import Voice


@dataclass(frozen=True)
class GroupSizes:
    """Sizes as a person may read them: below the least size no number is shown, nor one from which it follows.

    None is said like few: who asks about one customer would learn from it that they are not in the group.
    """

    say: Voice
    least: int  # 0: every number is shown

    @classmethod
    def of(cls, person: Grant, say: Voice) -> "GroupSizes":
        """For a person: whoever may see every customer sees every number."""
        sees_everybody = person.sees is Sees.all and person.may("customers:read")
        return cls(say, 0 if sees_everybody else least_group_size())

    def whole(self, count: int) -> str:
        """The size of a group.

        >>> sizes = GroupSizes(Voice(), 10)
        >>> sizes.whole(1200), sizes.whole(10), sizes.whole(9), sizes.whole(0), GroupSizes(Voice(), 0).whole(9)
        ('1,200', '10', 'fewer than 10', 'fewer than 10', '9')
        """
        return self.say("fewer_than", count=self.least) if count < self.least else f"{count:,}"

    def part(self, count: int, of: int) -> str:
        """The size of a part of a group: the rest of it is one, too.

        >>> sizes = GroupSizes(Voice(), 10)
        >>> sizes.part(100, 120), sizes.part(111, 120), sizes.part(3, 120), sizes.part(7, 9)
        ('100', 'all but fewer than 10', 'fewer than 10', 'fewer than 10')
        """
        if of - count < self.least <= count:
            return self.say("all_but_fewer_than", count=self.least)
        return self.whole(count)

    def parts(self, counts: Mapping[str, int]) -> dict[str, str]:
        """Sizes of parts whose sum can be known: where the small ones together are few, the next larger one hides them.

        >>> GroupSizes(Voice(), 10).parts({"opted out": 40, "control": 12, "cap": 3})
        {'opted out': '40', 'control': 'not shown', 'cap': 'fewer than 10'}
        >>> GroupSizes(Voice(), 10).parts({"opted out": 40, "control": 8, "cap": 3})
        {'opted out': '40', 'control': 'fewer than 10', 'cap': 'fewer than 10'}
        """
        shown = {name: self.whole(count) for name, count in counts.items()}
        few = [count for count in counts.values() if count < self.least]
        larger = [name for name, count in counts.items() if count >= self.least]
        if few and larger and sum(few) < self.least:
            shown[min(larger, key=lambda name: counts[name])] = self.say("not_shown")
        return shown
