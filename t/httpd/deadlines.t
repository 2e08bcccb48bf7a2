# Clients that are silent, slow or stop halfway end at the handshake's deadline; nobody else waits for them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(time);
use SL::Between;
use SL::Certs;
use SL::Client;
use SL::Command qw(slow slurp wait_until);
use SL::Conf qw(tls_host page);
use SL::Httpd;

# In seconds, how late may a deadline be noticed? How long may an honest client take?
my $late   = 1.5 * slow();
my $prompt = 1.5 * slow();

my $certs = SL::Certs->new;
my %cert  = map { $_ => $certs->server($_, type => 'ecdsa') } qw(first.test patient.test hasty.test);
my $hosts = join '', "Listen 127.0.0.1:\${port_https}\nListen 127.0.0.1:\${port_other}\nAcceptFilter http none\n",
    tls_host('first.test', $cert{'first.test'}), tls_host('patient.test', $cert{'patient.test'}, 'SecureLayerHandshakeTimeout 3'),
    tls_host({ name => 'patient.test', port => 'other' }, $cert{'patient.test'}, 'SecureLayerHandshakeTimeout 9'),
    tls_host({ name => 'hasty.test', port => 'other' }, $cert{'hasty.test'}, 'SecureLayerHandshakeTimeout 1');
my $threads = "StartServers 1\nThreadsPerChild 10\nMaxRequestWorkers 10\nMinSpareThreads 1\nMaxSpareThreads 10\n";
my %settings = (event => $threads, worker => $threads,
    prefork => "StartServers 10\nMinSpareServers 1\nMaxSpareServers 10\nMaxRequestWorkers 10\n");

sub httpd {
    my ($mpm, $name, $config, @o) = @_;
    my $httpd = SL::Httpd->new(mpm => $mpm, name => $name, mpm_settings => $settings{$mpm}, @o);
    $httpd->config($config . $hosts);
    page($httpd, 'first.test', 'patient.test', 'hasty.test');
    $httpd->start_ok or BAIL_OUT("$name does not start");
    return $httpd;
}

my $any = SL::Client->new(port => 1);
my %hello = map { $_ => SL::Between::hello_of($any, $_) } 'first.test', 'patient.test', 'hasty.test';

# One stalled client. behaviour: what it sends at first, and byte by byte afterwards.
sub stall {
    my ($httpd, $what, $seconds, %o) = @_;
    my $stream = SL::Client->new(port => $httpd->port($o{port} || 'https'))->raw;
    $stream->send($o{first}) if $o{first};
    return { %o, httpd => $httpd, name => "$httpd->{name}: $what", want => $seconds, stream => $stream, began => time };
}

# One that shakes hands and asks for nothing.
sub idle {
    my ($httpd, $what, $seconds) = @_;
    my $began = time;
    my $stream = SL::Client->new(port => $httpd->port('https'))->tls('first.test');
    return { httpd => $httpd, name => "$httpd->{name}: $what", want => $seconds, stream => $stream, began => $began };
}

# Lets all of them go on until each has ended or is far too late, and runs the code again and again meanwhile.
sub watch {
    my ($stalled, $meanwhile) = @_;
    my $next = 0;
    while (my @open = grep { !defined $_->{took} && time < $_->{began} + $_->{want} + 4 * $late } @$stalled) {
        for my $one (@open) {
            $one->{took} = time - $one->{began} if $one->{stream}->ended(0.001);
            $one->{stream}->send(substr $one->{drip}, 0, 1, '') if length($one->{drip} // '') && !defined $one->{took};
        }
        if ($meanwhile && time >= $next) { $meanwhile->(); $next = time + 0.5 }
        select undef, undef, undef, 0.02;    # the pace of those that drip
    }
    for my $one (@$stalled) {
        my $took = $one->{took} // -1;
        ok($took >= $one->{want} - 0.1 && $took < $one->{want} + $late,
            "$one->{name}: ends after $one->{want} seconds") or diag "after $took";
    }
    return;
}

my %serves;

sub is_served {
    my ($httpd) = @_;
    my $r = SL::Client->new(port => $httpd->port('https'))->curl('https://first.test/');
    push @{ $serves{ $httpd->{name} } }, $r->{body} eq "this is first.test\n" ? $r->{seconds} : 99;
}

sub all_served {
    my ($httpd) = @_;
    my @took = sort { $a <=> $b } @{ delete $serves{ $httpd->{name} } };
    return ok($took[-1] < $prompt, sprintf '%s: %d others are served meanwhile, the slowest in %.2f seconds', $httpd->{name}, scalar @took, $took[-1]);
}

# The deadline, on each MPM.
{
    my $mine = "SecureLayerHandshakeTimeout 1\n";
    my @httpds = map { httpd($_, $_, $mine) } qw(event worker prefork);
    my @limited = map { httpd($_, "$_ with mod_reqtimeout", "RequestReadTimeout handshake=1 header=2\n", modules => ['reqtimeout']) }
        qw(event worker prefork);
    my @stalled;
    for my $httpd (@httpds) {
        push @stalled, stall($httpd, 'a silent client', 1),
            stall($httpd, 'half a hello', 1, first => substr $hello{'first.test'}, 0, 100),
            stall($httpd, 'a hello in drips', 1, drip => $hello{'first.test'}),
            stall($httpd, 'a hello and no more', 1, first => $hello{'first.test'}),
            stall($httpd, 'a second flight in drips', 1, first => $hello{'first.test'} . "\x17\x03\x03\x10\x00", drip => 'x' x 4000),
            stall($httpd, 'a host with a deadline of its own', 3, first => $hello{'patient.test'}),
            stall($httpd, 'an earlier one than the default host', 1, first => $hello{'hasty.test'}, port => 'other');
    }
    for my $httpd (@limited) {
        push @stalled, stall($httpd, 'a silent client', 1),
            stall($httpd, 'half a hello', 1, first => substr $hello{'first.test'}, 0, 100),
            stall($httpd, 'a hello in drips', 1, drip => $hello{'first.test'}),
            stall($httpd, 'a hello and no more', 1, first => $hello{'first.test'}), idle($httpd, 'no request', 2);
    }
    watch(\@stalled, sub { is_served($_) for @httpds, @limited });
    all_served($_) for @httpds, @limited;
    for my $httpd (@httpds) {
        my $lines = () = $httpd->error_log =~ /SL0104: handshake failed \(timeout\)/g;
        is($lines, 7, "$httpd->{name}: the log tells of each");
        like($httpd->error_log, qr/\(timeout\).*name asked for patient\.test.*SecureLayerHandshakeTimeout/, '... with the name if it was known');
    }
    $_->stop for @httpds, @limited;
}

# Event: more clients that stall than there are threads. The oldest of those that are too many give way.
{
    my $httpd = httpd('event', 'a crowd', "SecureLayerHandshakeTimeout 60\n", mpm_settings => $threads =~ s/10/8/gr);
    my %crowd;
    for my $kind (['whole', $hello{'first.test'}], ['half', substr $hello{'first.test'}, 0, 100], ['silent', '']) {
        for my $n (1 .. 40) {
            push @{ $crowd{ $kind->[0] } }, stall($httpd, $n, 60, first => $kind->[1]);
            is_served($httpd) if $n % 10 == 0;
        }
        all_served($httpd);
    }
    my $open = sub { scalar grep { !$_->{stream}->ended(0.001) } map { @{ $crowd{$_} } } @_ };
    my $settled = wait_until(sub { $open->(keys %crowd) <= 16 }, 10 * slow());
    ok($settled, 'a crowd: no more wait than SecureLayerHandshakeQueue allows (twice the threads)');
    cmp_ok($open->(keys %crowd), '>=', 14, '... but about as many');
    cmp_ok($open->('whole'), '>=', 8, '... more who sent a whole hello than who did not');
    my @half = @{ $crowd{half} };
    ok((grep { $_->{stream}->ended(0.001) } @half[0 .. 19]) == 20, '... and the oldest went first');
    ok($httpd->wait_for_log(qr/\(crowded-out\).*SecureLayerHandshakeQueue/), '... and the log says so');
    $httpd->stop;
}

# Event: who has made progress is not the one to go.
{
    my $httpd = httpd('event', 'a queue of 3', "SecureLayerHandshakeTimeout 60\nSecureLayerHandshakeQueue 3\n");
    my $client = SL::Client->new(port => $httpd->port('https'));
    my $gate = SL::Between->new(port => $httpd->port('https'));
    my $half = $client->tls('first.test', port => $gate->port);
    $gate->join->pump(until => sub { length $gate->seen('client') > 200 });
    ok($gate->pump(from => 'server', until => sub { length $gate->seen('server') > 500 }), 'a client holds back the end of its handshake');
    my $idle = $client->tls('first.test');
    ok(wait_until(sub { slurp($idle->{log}) =~ /verify return:1.*verify return:1/s }, 10 * slow()), '... another its request');
    my @silent = map { stall($httpd, $_, 60) } 1 .. 6;
    ok(wait_until(sub { 5 == grep { $_->{stream}->ended(0.001) } @silent }, 10 * slow()), 'six silent ones: five give way to one') or diag join ' ', map { $_->{stream}->ended(0.001) // 'open' } @silent;
    is(scalar(grep { !$_->{stream}->ended(0.001) } @silent), 1, '... which stays');
    $half->send("GET / HTTP/1.1\r\nHost: first.test\r\n\r\n");
    my $body;
    $gate->pump(until => sub { $half->ended(0.001); $half->pending =~ /this is first/ });
    like($half->pending, qr/^HTTP.* 200 .*this is first\.test/s, '... and both others are served: in the handshake');
    $idle->send("GET / HTTP/1.1\r\nHost: first.test\r\n\r\n");
    is(($idle->response || {})->{body}, "this is first.test\n", '... and before the request');
    $_->close for $gate, $half, $idle;
    $httpd->stop;
}

# Event: no thread waits for the first request.
{
    my $httpd = httpd('event', 'handshakes without requests', '', mpm_settings => $threads =~ s/10/6/gr);
    my $client = SL::Client->new(port => $httpd->port('https'));
    my @idle = map { $client->tls('first.test', args => [$_ % 2 ? '-tls1_2' : '-tls1_3']) } 1 .. 10;
    for my $one (@idle) { wait_until(sub { slurp($one->{log}) =~ /verify return:1.*verify return:1/s }, 10 * slow()) or die 'no handshake' }
    is_served($httpd) for 1 .. 3;
    all_served($httpd);
    $_->send("GET / HTTP/1.1\r\nHost: first.test\r\n\r\n") for @idle;
    is(scalar(grep { ($_->response || { body => '' })->{body} eq "this is first.test\n" } @idle), 10, '... and they are when they ask');
    $_->close for @idle;
    $httpd->stop;
}
done_testing;
